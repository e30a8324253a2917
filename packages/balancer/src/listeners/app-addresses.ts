// The listeners of addresses that servers of the app ask for and the config does not name.

import type { Acceptor } from '@switchyard/handoff'
import type { ListenAddress, Settings } from '../settings.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import type { FreePorts } from './free-ports.ts'
import type { Bound, Listeners } from './listeners.ts'
import type { Wish, WorkerServers } from './worker-servers.ts'

const DEFAULT_BACKLOG = 511

export interface AppAddressesParts {
  readonly listeners: Listeners
  readonly acceptor: Acceptor
  readonly settings: () => Settings
  readonly freePorts: FreePorts
  readonly servers: WorkerServers
}

export class AppAddresses {
  private readonly parts: AppAddressesParts

  constructor(parts: AppAddressesParts) {
    this.parts = parts
  }

  /** The listener of an address, perhaps a new one; undefined: there are too many. Rejects with the system's error. */
  async open(worker: PoolWorker, wish: Wish): Promise<Bound | undefined> {
    const { freePorts, servers } = this.parts
    const { host, port, path, ipv6Only, reusePort, mode, backlog = DEFAULT_BACKLOG } = wish
    const asked: ListenAddress = { host, port, path, ipv6Only, backlog, reusePort, mode, peek: undefined }
    if (port !== 0) return this.openAt(asked)
    const name = freePorts.nameFor(worker, host, ipv6Only)
    const before = freePorts.get(name)
    const again = before === undefined ? undefined : await this.openAt({ ...asked, port: before }).catch(() => undefined)
    const bound = again !== undefined && !servers.has(worker, again) ? again : await this.openAt(asked)
    if (bound?.port !== undefined) freePorts.set(name, bound.port)
    return bound
  }

  /**
   * The listener of other workers that is in the way of an address, such as that of every host. Alone, this worker could have the address: it shares that listener.
   * Apps that look for a free port do so on one host after the other.
   */
  overlapping(worker: PoolWorker, wish: Wish, { code }: NodeJS.ErrnoException): Bound | undefined {
    const { listeners, servers } = this.parts
    const bound = code === 'EADDRINUSE' ? listeners.overlapping(wish) : undefined
    return bound === undefined || servers.has(worker, bound) ? undefined : bound
  }

  private async openAt(asked: ListenAddress): Promise<Bound | undefined> {
    const { listeners, acceptor, settings } = this.parts
    const found = asked.port === 0 ? undefined : listeners.find(asked)
    if (found !== undefined) return listeners.restore(found, acceptor, asked.mode)
    if (listeners.all.length >= settings().limits.maxListeners) return undefined
    return listeners.bind(asked, acceptor, false)
  }
}
