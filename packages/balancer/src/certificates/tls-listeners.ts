// The listeners of this primary that end TLS: opens their certificates at the start, and passes renewals to the workers and the log.

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

export class TlsListeners {
  private readonly options: TlsListenersOptions
  private watch: CertificateWatch | undefined

  constructor(options: TlsListenersOptions) {
    this.options = options
  }

  /** Reads the certificates and watches their files. Loads nothing if no listener has `tls`. Throws one ERR_CONFIG with all faults. */
  async open(listeners: readonly ConfiguredListener[]): Promise<void> {
    const secure = listeners.flatMap(({ number, address, tls }) =>
      tls === undefined ? [] : [{ number, address, option: `${address}: tls`, settings: tls }],
    )
    if (secure.length === 0) return
    const { events } = this.options
    const { CertificateWatch } = await import('./certificate-watch.ts')
    this.watch = new CertificateWatch({
      listeners: secure,
      now: Date.now,
      onChange: (change) => this.send(change),
      onRenewed: (address, { id: path, names, validToMs }) => events.emit('certificateRenewed', { address, path, names, validToMs }),
      onRefused: (address, faults) => events.emit('certificatesRefused', { address, faults: faults.map(({ message }) => message) }),
      onExpiring: (address, { id: path, names, validToMs }) => events.emit('certificateExpiring', { address, path, names, validToMs }),
    })
    const faults = this.watch.open()
    if (faults.length === 0) return
    const lines = faults.map(({ option, message }) => `  ${option}: ${message}`)
    throw new BalancerError('ERR_CONFIG', ['The certificates have faults:', ...lines].join('\n'), { source: 'config' })
  }

  /** For the start data of a worker; undefined: it ends no TLS, and needs no keys. */
  startFor({ settings }: PoolWorker): readonly TlsListenerStart[] | undefined {
    return settings.listens ? this.watch?.starts : undefined
  }

  close(): void {
    this.watch?.stop()
  }

  private send(change: TlsChange): void {
    for (const worker of this.options.workers()) if (worker.settings.listens) worker.send({ switchyard: 'tls', ...change })
  }
}
