// The listeners that the config names, with what their options ask of the primary: certificates, and requests that it answers itself. A reload changes
// these options: its workers start with the new ones, and those of the config before keep theirs.

import type { Acceptor } from '@switchyard/handoff'
import type { Http2ListenerStart, WorkerStart } from '@switchyard/worker-runtime'
import { type ListenerCertificates, TlsListeners } from '../certificates/tls-listeners.ts'
import type { BalancerEmitter } from '../events.ts'
import type { Http2Settings, ListenAddress } from '../listener-settings.ts'
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

/** `listen` of one config. */
type Addresses = readonly ListenAddress[]

export class ConfigListeners {
  readonly answers: ListenerAnswers
  private readonly tls: TlsListeners
  private readonly options: ConfigListenersOptions
  /** By the `listen` of its config: of the one in force, and of one that a reload prepares. */
  private readonly certificates = new Map<Addresses, ListenerCertificates>()
  private inForce: Addresses = []

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
  async open(addresses: Addresses, onFailed: () => void): Promise<void> {
    const { listeners, acceptor, events } = this.options
    try {
      await listeners.open(addresses, acceptor, (address) => events.emit('listening', { address }))
      await this.prepare(addresses)
      this.adopt(addresses)
    } catch (error) {
      onFailed()
      throw error
    }
  }

  /** Reads what workers with these options need. Nothing changes for the others. Rejects with ERR_CONFIG for faults of certificates. */
  async prepare(addresses: Addresses): Promise<void> {
    const asked = this.askedIn(addresses)
    const listeners = asked.map(({ bound, asked: { tls } }) => ({ number: bound.number, address: addressText(bound), tls }))
    this.certificates.set(addresses, await this.tls.open(listeners, this.certificates.get(this.inForce)))
    await this.answers.load(asked.map(({ asked: one }) => one))
  }

  /** The primary answers by these options from now on, which were prepared. */
  adopt(addresses: Addresses): void {
    this.inForce = addresses
    const asked = this.askedIn(addresses)
    for (const { bound, asked: one } of asked) bound.asked = one
    this.answers.configure(asked.map(({ asked: one }) => one))
    this.discard()
  }

  /** Forgets what was prepared and is not in force. */
  discard(): void {
    const kept = this.certificates.get(this.inForce)
    for (const [addresses, certificates] of this.certificates) {
      if (addresses === this.inForce) continue
      if (certificates !== kept) certificates.watch?.stop()
      this.certificates.delete(addresses)
    }
  }

  /** For the start data of a worker whose config has these addresses. */
  startFor(
    worker: PoolWorker,
    privateSocket: string,
    addresses: Addresses,
  ): Pick<WorkerStart, 'privateSocket' | 'listeners' | 'tls' | 'http2'> {
    const { listeners } = this.options
    const certificates = this.certificates.get(addresses) ?? this.certificates.get(this.inForce)
    const tls = certificates && this.tls.startFor(worker, certificates)
    return { privateSocket, listeners: listeners.known, tls, http2: this.http2For(worker, addresses) }
  }

  /** Undefined: the worker ends no HTTP/2. */
  private http2For({ settings }: PoolWorker, addresses: Addresses): WorkerStart['http2'] {
    if (!settings.listens) return undefined
    const starts = this.askedIn(addresses).flatMap(({ bound, asked: { http2 } }) =>
      http2 === undefined ? [] : [startOf(bound.number, http2)],
    )
    return starts.length === 0 ? undefined : starts
  }

  /** The bound listeners of the config, each with its options in these addresses, which are in the same order. */
  private askedIn(addresses: Addresses) {
    return this.options.listeners.configured.map((bound, index) => ({ bound, asked: addresses[index] ?? bound.asked }))
  }

  close(): void {
    for (const { watch } of this.certificates.values()) watch?.stop()
  }
}

/** What the primary does about attackers is none of the worker's business. */
function startOf(listener: number, { refuseAfterCuts: _a, refuseMs: _b, refusePrivate: _c, ...limits }: Http2Settings): Http2ListenerStart {
  return { listener, ...limits }
}
