// The processes of a drain test: a worker that drains, new for each test, and a worker that takes over, which never drains and is shared.

import type { Transport } from '@switchyard/handoff'
import { Client } from './drain-client.ts'
import { SmallPrimary, type SmallWorker, type WorkerOptions } from './small-primary.ts'

export interface DrainWorldOptions {
  readonly transport: Transport
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Of the shared worker. */
  readonly shared?: WorkerOptions
}

export interface DrainPair {
  readonly old: SmallWorker
  readonly young: SmallWorker
  /** From now on connections go to the young worker. */
  drain(spreadMs?: number): void
  /** Ends the old worker. */
  end(): Promise<void>
}

export class DrainWorld {
  readonly primary: SmallPrimary
  readonly tls: DrainWorldOptions['tls']
  private readonly options: DrainWorldOptions
  private shared: Promise<SmallWorker> | undefined

  constructor(options: DrainWorldOptions) {
    this.options = options
    this.tls = options.tls
    this.primary = new SmallPrimary(options.transport)
  }

  start(options: WorkerOptions = {}): Promise<SmallWorker> {
    const { tls } = this
    return this.primary.start({ ...options, app: { ...(tls && { tls }), ...options.app } })
  }

  /** The shared worker. Its app is never told to drain. */
  young(): Promise<SmallWorker> {
    this.shared ??= this.start(this.options.shared)
    return this.shared
  }

  client(): Client {
    return new Client(this.primary.port, this.tls !== undefined)
  }

  /** Connections go to a new worker until it drains, then to the shared one. */
  async pair(options: WorkerOptions = {}): Promise<DrainPair> {
    const { primary } = this
    const [old, young] = await Promise.all([this.start(options), this.young()])
    primary.choose = () => old
    return {
      old,
      young,
      drain(spreadMs = 0) {
        primary.choose = () => young
        old.drain({ last: false, spreadMs })
      },
      end: () => old.kill(),
    }
  }
}
