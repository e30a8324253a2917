// Counts the requests that did not stay with the worker that held their connection, by route and reason.

import { type ForwardReason, forwardReasons, type GiveBackReason, giveBackReasons } from '@switchyard/handoff'
import type { MoveStatus } from './status.ts'

/** Both ways of moving: the connection itself, and one request of a connection that can't move. */
export class Moves {
  private readonly givenBackBy: MoveTable<GiveBackReason>
  private readonly forwardedBy: MoveTable<ForwardReason>

  constructor(routes: readonly string[]) {
    this.givenBackBy = new MoveTable(routes, giveBackReasons)
    this.forwardedBy = new MoveTable(routes, forwardReasons)
  }

  /** `packed`: reason, and above its low byte the number of the route, as the worker says it. Gives the reason. */
  countGivenBack(packed: number): GiveBackReason {
    return this.givenBackBy.count(packed)
  }

  countForwarded(packed: number): ForwardReason {
    return this.forwardedBy.count(packed)
  }

  get givenBack(): MoveStatus<GiveBackReason>[] {
    return this.givenBackBy.list()
  }

  get forwarded(): MoveStatus<ForwardReason>[] {
    return this.forwardedBy.list()
  }
}

class MoveTable<R extends string> {
  private readonly routes: readonly string[]
  private readonly reasons: readonly R[]
  private readonly counts: number[]

  constructor(routes: readonly string[], reasons: readonly R[]) {
    this.routes = routes
    this.reasons = reasons
    this.counts = Array.from({ length: routes.length * reasons.length }, () => 0)
  }

  /** A worker may lie: what is not in the table counts for its last route and first reason. */
  count(packed: number): R {
    const route = packed >> 8
    const reason = packed & 0xff
    const row = route >= 0 && route < this.routes.length ? route : this.routes.length - 1
    const column = reason < this.reasons.length ? reason : 0
    const at = row * this.reasons.length + column
    this.counts[at] = (this.counts[at] as number) + 1
    return this.reasons[column] as R
  }

  list(): MoveStatus<R>[] {
    return this.counts.flatMap((count, at) => {
      const route = this.routes[Math.floor(at / this.reasons.length)] as string
      return count === 0 ? [] : [{ route, reason: this.reasons[at % this.reasons.length] as R, count }]
    })
  }
}
