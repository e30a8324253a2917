// Rates and times of single routes, from the counts that the status has of them.

import type { BalancerStatus } from '../status.ts'
import { ResponseWindow } from './response-window.ts'

export interface RouteView {
  name: string
  pool: string
  /** Requests that moved to another worker, since the start. */
  moved: number
  perSecond: number
  /** Of the last responses; null: there were none. */
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

  /** The routes in force. `seconds`: since the last call. */
  make({ routes, moves }: Pick<BalancerStatus, 'routes' | 'moves'>, seconds: number): RouteView[] {
    const [last, windows] = [this.last, this.windows]
    this.last = new Map()
    this.windows = new Map()
    return routes.flatMap(({ route, pool, results, durations }) => {
      if (pool === null) return []
      const ended = Object.values(results).reduce((sum, count) => sum + count, 0)
      const window = windows.get(route) ?? new ResponseWindow(this.samples)
      this.last.set(route, ended)
      this.windows.set(route, window)
      window.addCounts([['', durations.counts]])
      const more = Math.max(0, ended - (last.get(route) ?? ended))
      const perSecond = Math.round((more / seconds) * 1000) / 1000
      return [{ name: route, pool, moved: movedOf(moves, route), perSecond, ...window.quantiles() }]
    })
  }
}

function movedOf({ givenBack, forwarded }: BalancerStatus['moves'], route: string): number {
  return [...givenBack, ...forwarded].reduce((sum, move) => sum + (move.route === route ? move.count : 0), 0)
}
