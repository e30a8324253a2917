// The upstream servers of a pool in one proxy worker: which one gets a request, and the requests that wait because every server is full.

import type { Policy, RequestHead } from '@switchyard/routing'
import type { UpstreamStart } from '../upstream-start.ts'
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
  readonly all: readonly UpstreamServer[]
  readonly budget = new RetryBudget()
  private readonly options: UpstreamServersOptions
  private readonly waiting = new Set<Waiting>()

  constructor(options: UpstreamServersOptions) {
    const { start, now } = options
    this.options = options
    this.all = start.servers.map((address, slot) => new UpstreamServer(address, slot, start, now))
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
    for (const entry of this.waiting) {
      this.waiting.delete(entry)
      clearTimeout(entry.timer)
      entry.onRoom()
      return
    }
  }

  /** A request to the server failed by the server's fault. */
  fail(server: UpstreamServer, reason: string): void {
    if (server.fail())
      this.options.log(
        `${server.address.name} is ejected for a while: ${this.options.start.maxFailures} failures in a row, the last is ${reason}`,
      )
  }

  get waitingCount(): number {
    return this.waiting.size
  }

  /** No connection is kept from now on. */
  close(): void {
    for (const { connections } of this.all) connections.close()
  }
}
