// The listeners that the config names, with what their options ask of the primary: certificates, and requests that it answers itself.

import type { Acceptor } from '@switchyard/handoff'
import type { WorkerStart } from '@switchyard/worker-runtime'
import { TlsListeners } from '../certificates/tls-listeners.ts'
import type { BalancerEmitter } from '../events.ts'
import type { ListenAddress } from '../listener-settings.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import { HealthAnswers, type HealthAnswersOptions } from './health-answers.ts'
import { ListenerAnswers } from './listener-answers.ts'
import { addressText, type Listeners } from './listeners.ts'

export interface ConfigListenersOptions {
  readonly listeners: Listeners
  readonly acceptor: Acceptor
  readonly events: BalancerEmitter
  readonly health: HealthAnswersOptions
  readonly workers: () => Iterable<PoolWorker>
}

export class ConfigListeners {
  readonly answers: ListenerAnswers
  private readonly tls: TlsListeners
  private readonly options: ConfigListenersOptions

  constructor(options: ConfigListenersOptions) {
    this.options = options
    this.answers = new ListenerAnswers({
      health: new HealthAnswers(options.health),
      listener: (number) => options.listeners.get(number)?.asked,
    })
    this.tls = new TlsListeners(options)
  }

  /**
   * Opens each address. Rejects, after `onFailed`, with BalancerError ERR_ADDRESS_IN_USE, ERR_LISTEN, or ERR_CONFIG for faults of certificates.
   */
  async open(addresses: readonly ListenAddress[], onFailed: () => void): Promise<void> {
    const { listeners, acceptor, events } = this.options
    try {
      await listeners.open(addresses, acceptor, (address) => events.emit('listening', { address }))
      await this.tls.open(
        listeners.configured.map((bound) => ({ number: bound.number, address: addressText(bound), tls: bound.asked.tls })),
      )
      await this.answers.prepare(addresses)
    } catch (error) {
      onFailed()
      throw error
    }
  }

  /** For the start data of a worker. */
  startFor(worker: PoolWorker, privateSocket: string): Pick<WorkerStart, 'privateSocket' | 'listeners' | 'tls' | 'http2'> {
    const { listeners } = this.options
    return { privateSocket, listeners: listeners.known, tls: this.tls.startFor(worker), http2: this.http2For(worker) }
  }

  /** Undefined: the worker ends no HTTP/2. */
  private http2For({ settings }: PoolWorker): WorkerStart['http2'] {
    if (!settings.listens) return undefined
    const starts = this.options.listeners.configured.flatMap(({ number, asked: { http2 } }) =>
      http2 === undefined ? [] : [{ listener: number, ...http2 }],
    )
    return starts.length === 0 ? undefined : starts
  }

  close(): void {
    this.tls.close()
  }
}
