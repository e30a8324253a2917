// The listeners of this primary that end TLS: reads their certificates at the start and for each reload, and passes renewals to the workers and the log.

import { isDeepStrictEqual } from 'node:util'
import type { TlsChange, TlsListenerStart } from '@switchyard/worker-runtime'
import { BalancerError } from '../errors.ts'
import type { BalancerEmitter } from '../events.ts'
import type { TlsSettings } from '../listener-settings.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import type { CertificateWatch } from './certificate-watch.ts'

/** A bound listener of the config. */
export interface ConfiguredListener {
  readonly number: number
  readonly address: string
  readonly tls: TlsSettings | undefined
}

export interface TlsListenersOptions {
  readonly events: BalancerEmitter
  readonly workers: () => Iterable<PoolWorker>
}

/** The certificates of one config. While a reload is under way, those of two configs are watched. */
export interface ListenerCertificates {
  readonly listeners: readonly ConfiguredListener[]
  /** undefined: no listener has `tls`. */
  readonly watch: CertificateWatch | undefined
}

export class TlsListeners {
  private readonly options: TlsListenersOptions
  private readonly usedBy = new WeakMap<PoolWorker, ListenerCertificates>()

  constructor(options: TlsListenersOptions) {
    this.options = options
  }

  /**
   * Reads the certificates and watches their files. Loads nothing if no listener has `tls`. Throws one ERR_CONFIG with all faults. `before`: what is
   * watched already, which is returned if nothing has changed.
   */
  async open(listeners: readonly ConfiguredListener[], before?: ListenerCertificates): Promise<ListenerCertificates> {
    if (before !== undefined && isDeepStrictEqual(listeners, before.listeners)) return before
    const secure = listeners.flatMap(({ number, address, tls }) =>
      tls === undefined ? [] : [{ number, address, option: `${address}: tls`, settings: tls }],
    )
    if (secure.length === 0) return { listeners, watch: undefined }
    const { events } = this.options
    const { CertificateWatch } = await import('./certificate-watch.ts')
    const watch = new CertificateWatch({
      listeners: secure,
      now: Date.now,
      onChange: (change) => this.send(opened, change),
      onRenewed: (address, { id: path, names, validToMs }) => events.emit('certificateRenewed', { address, path, names, validToMs }),
      onRefused: (address, faults) => events.emit('certificatesRefused', { address, faults: faults.map(({ message }) => message) }),
      onExpiring: (address, { id: path, names, validToMs }) => events.emit('certificateExpiring', { address, path, names, validToMs }),
    })
    const opened: ListenerCertificates = { listeners, watch }
    const faults = watch.open()
    if (faults.length === 0) return opened
    const lines = faults.map(({ option, message }) => `  ${option}: ${message}`)
    throw new BalancerError('ERR_CONFIG', ['The certificates have faults:', ...lines].join('\n'), { source: 'config' })
  }

  /** For the start data of a worker; undefined: it ends no TLS, and needs no keys. */
  startFor(worker: PoolWorker, certificates: ListenerCertificates): readonly TlsListenerStart[] | undefined {
    if (!worker.settings.listens) return undefined
    this.usedBy.set(worker, certificates)
    return certificates.watch?.starts
  }

  private send(certificates: ListenerCertificates, change: TlsChange): void {
    for (const worker of this.options.workers()) if (this.usedBy.get(worker) === certificates) worker.send({ switchyard: 'tls', ...change })
  }
}
