// Opens listeners on addresses that servers of the app ask for and the config does not name.

import { readFileSync } from 'node:fs'
import { type Acceptor, isAbstract } from '@switchyard/handoff'
import type { ServerAddress } from '@switchyard/worker-runtime'
import type { ListenAddress } from '../listener-settings.ts'
import type { PoolSettings, Settings } from '../settings.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import type { FreePorts } from './free-ports.ts'
import type { Bound, Listeners } from './listeners.ts'
import type { ServerRequest, WorkerServers } from './worker-servers.ts'

const DEFAULT_BACKLOG = 511
const FIRST_PORT_FILE = '/proc/sys/net/ipv4/ip_unprivileged_port_start'
const FIRST_PORT = 1024

export interface AppAddressesOptions {
  readonly listeners: Listeners
  readonly acceptor: Acceptor
  readonly settings: () => Settings
  readonly freePorts: FreePorts
  readonly servers: WorkerServers
}

export class AppAddresses {
  private readonly options: AppAddressesOptions

  constructor(options: AppAddressesOptions) {
    this.options = options
  }

  /** Finds or opens the listener of an address. undefined: there are `maxListeners` already. Rejects with the system's error. */
  async open(worker: PoolWorker, request: ServerRequest): Promise<Bound | undefined> {
    const { freePorts, servers } = this.options
    const { host, port, path, ipv6Only, reusePort, mode, backlog = DEFAULT_BACKLOG } = request
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
   * The listener of other workers that prevents a bind, such as one on every host. The worker shares that listener, since without the other workers it could
   * bind the address. Apps that search for a free port try one host after the other.
   */
  overlapping(worker: PoolWorker, request: ServerRequest, { code }: NodeJS.ErrnoException): Bound | undefined {
    const { listeners, servers } = this.options
    const bound = code === 'EADDRINUSE' ? listeners.overlapping(request) : undefined
    return bound === undefined || servers.has(worker, bound) ? undefined : bound
  }

  private async openAt(asked: ListenAddress): Promise<Bound | undefined> {
    const { listeners, acceptor, settings } = this.options
    const found = asked.port === 0 ? undefined : listeners.find(asked)
    if (found !== undefined) return listeners.restore(found, acceptor, asked.mode)
    if (listeners.all.length >= settings().limits.maxListeners) return undefined
    return listeners.bind(asked, acceptor, false)
  }
}

/**
 * May a server of a worker listen on an address that the config does not name? A worker of another user or group must not use the rights of the primary, which
 * may be root. undefined: the user or group of this process.
 */
export function mayListen({ port, path }: ServerAddress, { uid, gid }: Pick<PoolSettings, 'uid' | 'gid'>): boolean {
  const isOther = (uid !== undefined && uid !== process.getuid?.()) || (gid !== undefined && gid !== process.getgid?.())
  if (!isOther) return true
  if (path !== undefined) return isAbstract(path)
  return port === undefined || port === 0 || port >= firstPort()
}

/** The first port on which every user may listen. */
function firstPort(): number {
  try {
    return Number(readFileSync(FIRST_PORT_FILE, 'latin1'))
  } catch {
    return FIRST_PORT
  }
}
