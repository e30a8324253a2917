// Counts the workers that were chosen, by route and policy, and what sticky policies could do for their keys.

import { type StickyOutcome, stickyOutcomes } from '@switchyard/routing'
import { type ChoiceStatus, type ChoiceWay, choiceWays, type StickyStatus } from '../status.ts'

const MAX_ROUTES = 10_000
const OTHER_ROUTES = '(others)'
const SEPARATOR = '\0'

/** The counts of one route. */
export class RouteChoices {
  readonly ways: Record<ChoiceWay, number> = { policy: 0, ahead: 0, draining: 0, otherwise: 0, spread: 0 }
  readonly sticky: Record<StickyOutcome, number> = { kept: 0, 'no-key': 0, overloaded: 0, gone: 0 }

  readonly onSticky = (outcome: StickyOutcome): void => {
    this.sticky[outcome]++
  }
}

export class ChoiceCounts {
  /** By route and policy. Reloads may bring more; beyond a bound they count as one. */
  private readonly routes = new Map<string, RouteChoices>()

  of(route: string, policy: string): RouteChoices {
    const key = `${route}${SEPARATOR}${policy}`
    const known = this.routes.get(key)
    if (known !== undefined) return known
    if (this.routes.size >= MAX_ROUTES && route !== OTHER_ROUTES) return this.of(OTHER_ROUTES, OTHER_ROUTES)
    const choices = new RouteChoices()
    this.routes.set(key, choices)
    return choices
  }

  get choices(): ChoiceStatus[] {
    return [...this.routes].flatMap(([key, { ways }]) => {
      const [route = '', policy = ''] = key.split(SEPARATOR)
      return choiceWays.flatMap((by) => (ways[by] === 0 ? [] : [{ route, policy, by, count: ways[by] }]))
    })
  }

  /** A route whose policy changed by a reload has one entry for each outcome. */
  get sticky(): StickyStatus[] {
    const sums = new Map<string, Record<StickyOutcome, number>>()
    for (const [key, { sticky }] of this.routes) {
      const [route = ''] = key.split(SEPARATOR)
      const sum = sums.get(route) ?? { kept: 0, 'no-key': 0, overloaded: 0, gone: 0 }
      for (const outcome of stickyOutcomes) sum[outcome] += sticky[outcome]
      sums.set(route, sum)
    }
    return [...sums].flatMap(([route, sum]) =>
      stickyOutcomes.flatMap((outcome) => (sum[outcome] === 0 ? [] : [{ route, outcome, count: sum[outcome] }])),
    )
  }
}
