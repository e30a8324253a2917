// Counts the requests that did not stay with the worker that held their connection, by route and reason.

import { type ForwardReason, forwardReasons, type GiveBackReason, giveBackReasons } from '@switchyard/handoff'
import type { MoveStatus } from '../status.ts'

/** Counts both ways: the connection was given back, or one request was forwarded because its connection can't move. */
export class MoveCounts {
  private readonly givenBackBy = new MoveTable<GiveBackReason>(giveBackReasons)
  private readonly forwardedBy = new MoveTable<ForwardReason>(forwardReasons)

  /** `packed`: the reason in the low byte, the number of the route above it; `routes`: the names as that worker numbers them. Returns the reason. */
  countGivenBack(packed: number, routes: readonly string[]): GiveBackReason {
    return this.givenBackBy.count(packed, routes)
  }

  countForwarded(packed: number, routes: readonly string[]): ForwardReason {
    return this.forwardedBy.count(packed, routes)
  }

  get givenBack(): MoveStatus<GiveBackReason>[] {
    return this.givenBackBy.list()
  }

  get forwarded(): MoveStatus<ForwardReason>[] {
    return this.forwardedBy.list()
  }
}

class MoveTable<R extends string> {
  private readonly reasons: readonly R[]
  /** By route, a count for each reason. Reloads may bring more routes; beyond a bound they count as one. */
  private readonly counts = new Map<string, number[]>()

  constructor(reasons: readonly R[]) {
    this.reasons = reasons
  }

  /** A worker may lie: unknown numbers count for its last route and the first reason. */
  count(packed: number, routes: readonly string[]): R {
    const number = packed >> 8
    const reason = packed & 0xff
    const row = this.rowOf(routes[number >= 0 && number < routes.length ? number : routes.length - 1] ?? OTHER_ROUTES)
    const column = reason < this.reasons.length ? reason : 0
    row[column] = (row[column] as number) + 1
    return this.reasons[column] as R
  }

  list(): MoveStatus<R>[] {
    return [...this.counts].flatMap(([route, row]) =>
      row.flatMap((count, column) => (count === 0 ? [] : [{ route, reason: this.reasons[column] as R, count }])),
    )
  }

  private rowOf(route: string): number[] {
    const known = this.counts.get(route)
    if (known !== undefined) return known
    if (this.counts.size >= MAX_ROUTES && route !== OTHER_ROUTES) return this.rowOf(OTHER_ROUTES)
    const row = this.reasons.map(() => 0)
    this.counts.set(route, row)
    return row
  }
}

const MAX_ROUTES = 10_000
const OTHER_ROUTES = '(others)'
