// The upstream servers of a pool in one proxy worker: which one gets a request, and the requests that wait because every server is full.

import type { Policy, RequestHead } from '@switchyard/routing'
import type { ServerReport, UpstreamChange, UpstreamReport } from '../../upstream-messages.ts'
import type { UpstreamStart, UpstreamTarget } from '../../upstream-start.ts'
import { RetryBudget } from './retry-budget.ts'
import { UpstreamServer } from './upstream-server.ts'

/** A request that waits for a connection. */
interface Waiting {
  readonly onRoom: () => void
  timer: NodeJS.Timeout
}

export interface UpstreamServersOptions {
  readonly start: UpstreamStart
  readonly now: () => number
  /** Something about a server changed, in one line. */
  readonly log: (line: string) => void
}

export class UpstreamServers {
  /** Those in service. */
  all: readonly UpstreamServer[] = []
  readonly budget = new RetryBudget()
  private readonly options: UpstreamServersOptions
  private readonly waiting = new Set<Waiting>()
  /** Those of the list, and those that were removed and still have requests. */
  private readonly known = new Map<string, UpstreamServer>()
  private listed: ReadonlySet<UpstreamServer> = new Set()
  private version = 0
  private closed = false

  constructor(options: UpstreamServersOptions) {
    this.options = options
    const { servers, version } = options.start
    this.change({ servers, version, restarted: undefined })
  }

  /** Uses these servers from now on. Others drain, and so do those that are out of service. */
  change({ servers, version, restarted }: UpstreamChange): void {
    const listed = servers.map((target) => this.serverOf(target))
    this.listed = new Set(listed)
    this.version = version
    for (const server of this.known.values()) {
      if (this.listed.has(server) && !server.address.isHeld) server.resume()
      else
        server.drain((count) =>
          this.options.log(`${nameOf(server)} was drained for too long: ${count} requests or websockets were cut off`),
        )
    }
    this.all = listed.filter(({ address }) => !address.isHeld)
    for (const server of listed) if (server.slot === restarted) server.forgive()
    this.forgetDrained()
    this.wakeAll()
  }

  get report(): Omit<UpstreamReport, 'failures'> {
    this.forgetDrained()
    return {
      version: this.version,
      waiting: this.waiting.size,
      servers: [...this.known.values()].map(({ report }): ServerReport => report),
    }
  }

  private serverOf(target: UpstreamTarget): UpstreamServer {
    // A new primary may have counted slots anew before it got those of the old one.
    const key = `${target.slot} ${target.generation} ${target.name} ${target.address}`
    const known = this.known.get(key)
    if (known !== undefined) {
      known.address = target
      return known
    }
    const { start, now } = this.options
    const server = new UpstreamServer(target, start, now)
    this.known.set(key, server)
    return server
  }

  private forgetDrained(): void {
    for (const [key, server] of this.known) if (server.inFlight === 0 && !this.listed.has(server)) this.known.delete(key)
  }

  private wakeAll(): void {
    for (const entry of [...this.waiting]) this.wake(entry)
  }

  private wake(entry: Waiting): void {
    this.waiting.delete(entry)
    clearTimeout(entry.timer)
    entry.onRoom()
  }

  /**
   * Chooses a server. undefined: all are full. A server that is ejected or down gets requests only if every other one is too: then trying is better than
   * refusing. `tried`: servers that failed with this request, chosen last.
   */
  pick(policy: Policy, head: RequestHead, tried: readonly UpstreamServer[]): UpstreamServer | undefined {
    const up = this.all.filter(({ state }) => state === 'up')
    const serving = up.length === 0 ? this.all : up
    const fresh = tried.length === 0 ? serving : serving.filter((server) => !tried.includes(server))
    const candidates = (fresh.length === 0 ? serving : fresh).filter(({ hasRoom }) => hasRoom)
    return policy.pick(candidates, head) as UpstreamServer | undefined
  }

  /** Has a server that was not tried yet? */
  hasOther(tried: readonly UpstreamServer[]): boolean {
    return this.all.some((server) => !tried.includes(server))
  }

  /** Calls `onRoom` when a server may have room, or `onLate` after this time. undefined: too many wait already. Returns how to stop waiting. */
  wait(onRoom: () => void, onLate: () => void, ms: number): (() => void) | undefined {
    if (ms <= 0 || this.waiting.size >= this.options.start.queueLimit) return undefined
    const late = () => {
      this.waiting.delete(entry)
      onLate()
    }
    const entry: Waiting = { onRoom, timer: setTimeout(late, ms) }
    this.waiting.add(entry)
    return () => {
      clearTimeout(entry.timer)
      this.waiting.delete(entry)
    }
  }

  /** A request of the server has ended: the one that has waited longest is next. */
  end(server: UpstreamServer): void {
    server.end()
    for (const entry of this.waiting) return this.wake(entry)
  }

  /** A request to the server failed by the server's fault. */
  fail(server: UpstreamServer, reason: string): void {
    if (server.fail(reason))
      this.options.log(
        `${nameOf(server)} is ejected for a while: ${this.options.start.maxFailures} failures in a row, the last is ${reason}`,
      )
  }

  /** Does the worker drain? */
  get isClosed(): boolean {
    return this.closed
  }

  get waitingCount(): number {
    return this.waiting.size
  }

  /** No connection is kept from now on. */
  close(): void {
    this.closed = true
    for (const { connections } of this.known.values()) connections.close()
  }
}

/** As logs show it: its URL, with the address behind it if the name has several. */
export function nameOf({ address: { name, address } }: { readonly address: UpstreamTarget }): string {
  return address === undefined ? name : `${name} (${address})`
}
