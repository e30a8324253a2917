// Watches the certificate files of all TLS listeners in the primary. A renewed certificate goes to the workers at once; a faulty one is reported, and the
// certificate from before stays in use.

import type { TlsChange, TlsListenerStart } from '@switchyard/worker-runtime'
import type { TlsSettings } from '../listener-settings.ts'
import type { Certificate } from './certificate.ts'
import { listenerStart, type ReadCertificates, readCertificates, signatureOf, type TlsFault } from './listener-certificates.ts'

const POLL_MS = 1000
/** certbot and others write a certificate and its key one after the other. Faults are reported when they last this long. */
const GRACE_MS = 5000
/** An expiry is announced when a tenth of the lifetime is left, and two weeks before at the earliest. */
const SHARE_LEFT = 0.1
const MOST_LEFT_MS = 14 * 86_400_000

export interface TlsListener {
  readonly number: number
  /** For the log. */
  readonly address: string
  /** Where its `tls` stands in the config. */
  readonly option: string
  readonly settings: TlsSettings
}

export interface CertificateWatchOptions {
  readonly listeners: readonly TlsListener[]
  /** In ms since 1970. */
  readonly now: () => number
  readonly pollMs?: number | undefined
  readonly graceMs?: number | undefined
  /** Workers should use this from now on. */
  readonly onChange: (change: TlsChange) => void
  readonly onRenewed: (address: string, certificate: Certificate) => void
  readonly onRefused: (address: string, faults: readonly TlsFault[]) => void
  readonly onExpiring: (address: string, certificate: Certificate) => void
}

interface Watched extends TlsListener {
  read: ReadCertificates
  signature: string
  /** Since when changed files have had faults. */
  faultySinceMs: number | undefined
}

export class CertificateWatch {
  private readonly options: CertificateWatchOptions
  private readonly watched: Watched[] = []
  private readonly announced = new Set<string>()
  private timer: NodeJS.Timeout | undefined
  private isStopped = false

  constructor(options: CertificateWatchOptions) {
    this.options = options
  }

  /** Reads all certificates. Returns every fault, each with its place in the config; then nothing is watched. */
  open(): readonly TlsFault[] {
    const faults: TlsFault[] = []
    for (const listener of this.options.listeners) {
      const read = readCertificates(listener.settings, this.options.now())
      faults.push(...read.faults.map(({ option, message }) => ({ option: `${listener.option}.${option}`, message })))
      // The first poll reads again: a file may change right now.
      this.watched.push({ ...listener, read, signature: '', faultySinceMs: undefined })
    }
    if (faults.length === 0) this.schedule()
    return faults
  }

  /** For the start data of a worker. */
  get starts(): TlsListenerStart[] {
    return this.watched.map(({ number, settings, read }) => listenerStart(number, settings, read))
  }

  stop(): void {
    this.isStopped = true
    clearTimeout(this.timer)
  }

  private schedule(): void {
    if (this.isStopped) return
    this.timer = setTimeout(() => void this.poll().finally(() => this.schedule()), this.options.pollMs ?? POLL_MS).unref()
  }

  private async poll(): Promise<void> {
    for (const watched of this.watched) {
      const signature = await signatureOf(watched.settings, watched.read)
      if (this.isStopped) return
      const now = this.options.now()
      const hasChanged = signature !== watched.signature
      if (hasChanged) {
        watched.signature = signature
        watched.faultySinceMs = now
      }
      if (watched.faultySinceMs !== undefined) this.readAgain(watched, now)
      this.announceExpiries(watched, now)
    }
  }

  private readAgain(watched: Watched, now: number): void {
    const { options } = this
    const { address, settings, read: before } = watched
    const read = readCertificates(settings, now, before)
    watched.read = read
    for (const change of changesBetween(watched.number, before, read)) options.onChange(change)
    for (const certificate of read.certificates) {
      const old = before.certificates.find(({ id }) => id === certificate.id)
      if (old === undefined || old.cert !== certificate.cert) options.onRenewed(address, certificate)
    }
    if (read.faults.length > 0 && now - (watched.faultySinceMs ?? now) < (options.graceMs ?? GRACE_MS)) return
    if (read.faults.length > 0) options.onRefused(address, read.faults)
    watched.faultySinceMs = undefined
  }

  private announceExpiries({ address, read }: Watched, now: number): void {
    for (const certificate of read.certificates) {
      const { id, validFromMs, validToMs } = certificate
      const noticeMs = Math.min(MOST_LEFT_MS, (validToMs - validFromMs) * SHARE_LEFT)
      const key = `${id} ${validToMs}`
      if (validToMs - now > noticeMs || this.announced.has(key)) continue
      this.announced.add(key)
      this.options.onExpiring(address, certificate)
    }
  }
}

/** What workers must be told. */
export function changesBetween(listener: number, before: ReadCertificates, after: ReadCertificates): TlsChange[] {
  const changes: TlsChange[] = []
  const old = new Map(before.certificates.map((certificate) => [certificate.id, certificate]))
  for (const { id, names, cert, key, keyType, ocsp } of after.certificates) {
    const known = old.get(id)
    old.delete(id)
    if (known?.cert === cert && known.key === key && known.ocsp === ocsp) continue
    changes.push({ listener, id, certificate: { names, cert, key, keyType, ...(ocsp !== undefined && { ocsp }) } })
  }
  for (const id of old.keys()) changes.push({ listener, id, certificate: undefined })
  if (after.ca !== undefined && after.ca !== before.ca) changes.push({ listener, ca: after.ca })
  return changes
}
