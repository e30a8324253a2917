// Connections of one pool that wait for a worker, first in first out. Their bytes are still in the kernel, but for what another worker had read.

import type { Connection } from '@switchyard/handoff'

/**
 * What a connection waits for. `loop`: any worker whose loop turns free. `policy`: the route's policy wants none of those who could have it.
 * `home`: the one worker that knows its session. `recalled`: as `loop`, but it had been chosen for a worker whose loop then stuck, so it goes first.
 */
export type WaitFor = 'loop' | 'policy' | 'home' | 'recalled'

/** A connection that waits. */
export interface Queued {
  readonly connection: Connection
  readonly sinceMs: number
  readonly waitFor: WaitFor
}

export class Queue {
  private limit: number
  private timeoutMs: number
  // By descriptor, in order of arrival.
  private readonly recalled = new Map<number, Queued>()
  private readonly forLoop = new Map<number, Queued>()
  private readonly forHome = new Map<number, Queued>()

  constructor(limit: number, timeoutMs: number) {
    this.limit = limit
    this.timeoutMs = timeoutMs
  }

  /** Other bounds, for whoever comes and for whoever waits. */
  configure(limit: number, timeoutMs: number): void {
    this.limit = limit
    this.timeoutMs = timeoutMs
  }

  get length(): number {
    return this.waitingForLoop + this.forHome.size
  }

  /** How many could go to any worker. */
  get waitingForLoop(): number {
    return this.recalled.size + this.forLoop.size
  }

  get isFull(): boolean {
    return this.length >= this.limit
  }

  add({ fd, tag, carried }: Connection, sinceMs: number, waitFor: WaitFor): void {
    this.laneOf(waitFor).set(fd, { connection: { fd, tag, carried }, sinceMs, waitFor })
  }

  /** Removes one; gives whether it was here. */
  remove(fd: number): boolean {
    return this.recalled.delete(fd) || this.forLoop.delete(fd) || this.forHome.delete(fd)
  }

  /** Those who could go to any worker, in order; they may be removed meanwhile. */
  *eachForLoop(): Generator<Queued> {
    yield* this.recalled.values()
    yield* this.forLoop.values()
  }

  /** Those who wait for one worker, in order; they may be removed meanwhile. */
  eachForHome(): Iterable<Queued> {
    return this.forHome.values()
  }

  /** Empties the queue, in order. */
  takeAll(): Connection[] {
    return this.take(() => true)
  }

  /** Removes those whose patience is over at `nowMs`. */
  takeExpired(nowMs: number): Connection[] {
    return this.take(({ sinceMs }) => nowMs - sinceMs >= this.timeoutMs)
  }

  private take(isTaken: (entry: Queued) => boolean): Connection[] {
    const taken = [...this.eachForLoop(), ...this.eachForHome()].filter(isTaken).map(({ connection }) => connection)
    for (const { fd } of taken) this.remove(fd)
    return taken
  }

  private laneOf(waitFor: WaitFor): Map<number, Queued> {
    if (waitFor === 'recalled') return this.recalled
    return waitFor === 'home' ? this.forHome : this.forLoop
  }
}
