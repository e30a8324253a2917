// Follows the addresses of one name: looks it up again when the last answer has expired, and keeps the last addresses while no server answers.

import type { DnsSettings } from '../upstream-settings.ts'
import type { FoundAddresses, ResolveName } from './name-resolver.ts'

/** From a failed lookup to the next one. */
const RETRY_MS = 5_000
/** Lookups of names that have the same answer time do not come together: up to this share earlier. */
const JITTER = 0.1

export interface NameWatchOptions {
  readonly host: string
  readonly settings: DnsSettings
  readonly resolve: ResolveName
  /** The addresses have changed. Sorted, and at most `maxAddresses`. */
  readonly onAddresses: (addresses: readonly string[]) => void
  /** A lookup has failed for the first time, or succeeded again. */
  readonly onNotice: (level: 'info' | 'warn', message: string) => void
  /** 0 to 1. */
  readonly chance: () => number
}

export class NameWatch {
  private readonly options: NameWatchOptions
  private timer: NodeJS.Timeout | undefined
  private isStopped = false
  private isFailing = false
  private known: readonly string[] | undefined

  constructor(options: NameWatchOptions) {
    this.options = options
    void this.lookUp()
  }

  /** undefined: the name was never found. */
  get addresses(): readonly string[] | undefined {
    return this.known
  }

  /** Looks up now instead of later. */
  refresh(): void {
    if (this.timer === undefined) return
    clearTimeout(this.timer)
    this.timer = undefined
    void this.lookUp()
  }

  stop(): void {
    this.isStopped = true
    clearTimeout(this.timer)
  }

  private async lookUp(): Promise<void> {
    const { host, settings, resolve, chance } = this.options
    const { minTtlMs, maxTtlMs, intervalMs } = settings
    let nextMs = Math.min(RETRY_MS, maxTtlMs)
    try {
      const found = await resolve(host)
      nextMs = Math.min(maxTtlMs, Math.max(minTtlMs, found.ttlMs ?? intervalMs))
      if (!this.isStopped) this.onFound(found)
    } catch (error) {
      if (!this.isStopped) this.onFailed(error as NodeJS.ErrnoException)
    }
    if (this.isStopped) return
    this.timer = setTimeout(
      () => {
        this.timer = undefined
        void this.lookUp()
      },
      nextMs * (1 - JITTER * chance()),
    )
    this.timer.unref()
  }

  private onFound({ addresses }: FoundAddresses): void {
    const { host, settings, onAddresses, onNotice } = this.options
    if (this.isFailing) onNotice('info', `${host} is found again`)
    this.isFailing = false
    const known = new Set(this.known)
    // Known ones first: where there are more than fit, those that are in use stay.
    const unique = [...new Set(addresses)].sort((one, other) => Number(known.has(other)) - Number(known.has(one)) || compare(one, other))
    if (unique.length === 0) return
    const next = unique.slice(0, settings.maxAddresses).sort(compare)
    if (next.join() === this.known?.join()) return
    this.known = next
    onAddresses(next)
  }

  private onFailed({ code, message }: NodeJS.ErrnoException): void {
    const { host, onNotice } = this.options
    if (this.isFailing) return
    this.isFailing = true
    const kept =
      this.known === undefined ? 'connections look it up themselves' : `its last addresses stay in use (${this.known.join(', ')})`
    onNotice('warn', `${host} can't be looked up (${code ?? message}): ${kept}`)
  }
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
