// Rates and times of single routes, from the counts that the status has of them.

import type { BalancerStatus, RouteTarget } from '../status.ts'
import { ResponseWindow } from './response-window.ts'

/** What the status says of a route. */
interface RouteCounts {
  readonly route: string
  /** Ended requests, by result; counts since the start. */
  readonly results: Readonly<Record<string, number>>
  readonly durations: { readonly counts: readonly number[] }
}

/** A status of a version whose workers count routes. */
type CountedStatus = BalancerStatus & { readonly routes?: readonly RouteCounts[] | undefined }

export interface RouteView extends RouteTarget {
  /** Requests that moved to another worker, since the start. */
  moved: number
  /** null: the requests of single routes are not counted. */
  perSecond: number | null
  p50Ms: number | null
  p99Ms: number | null
}

export class RouteViews {
  private readonly samples: number
  private last = new Map<string, number>()
  private windows = new Map<string, ResponseWindow>()

  /** `samples`: the length of the window for times. */
  constructor(samples: number) {
    this.samples = samples
  }

  /** `seconds`: since the last call. */
  make(status: BalancerStatus, targets: readonly RouteTarget[], seconds: number): RouteView[] {
    const counted = new Map((status as CountedStatus).routes?.map((counts) => [counts.route, counts]))
    const [last, windows] = [this.last, this.windows]
    this.last = new Map()
    this.windows = new Map()
    return targets.map((target) => {
      const moved = movedOf(status.moves, target.name)
      const counts = counted.get(target.name)
      if (counts === undefined) return { ...target, moved, perSecond: null, p50Ms: null, p99Ms: null }
      const ended = Object.values(counts.results).reduce((sum, count) => sum + count, 0)
      const window = windows.get(target.name) ?? new ResponseWindow(this.samples)
      this.last.set(target.name, ended)
      this.windows.set(target.name, window)
      window.addCounts([['', counts.durations.counts]])
      const more = Math.max(0, ended - (last.get(target.name) ?? ended))
      return { ...target, moved, perSecond: Math.round((more / seconds) * 1000) / 1000, ...window.quantiles() }
    })
  }
}

function movedOf({ givenBack, forwarded }: BalancerStatus['moves'], route: string): number {
  return [...givenBack, ...forwarded].reduce((sum, move) => sum + (move.route === route ? move.count : 0), 0)
}
