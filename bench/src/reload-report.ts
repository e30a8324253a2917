// From the samples of `reload` to rows, verdicts and a table. Pure.

import type { Load } from './loads.ts'
import { CLIENTS, CONNECTIONS, type ReloadSample } from './reload.ts'
import { markdown, median, type Verdict } from './report.ts'
import type { AbsoluteTarget } from './scenarios.ts'

export const reloadTargets: readonly AbsoluteTarget[] = [
  { scenario: 'reload', contender: 'switchyard', unit: 'failed requests', atMost: 0 },
  { scenario: 'reload', contender: 'switchyard, file for PM2', unit: 'failed requests', atMost: 0 },
]

/** One contender over all rounds. */
export interface ReloadRow {
  readonly contender: string
  readonly requests: number
  readonly failed: number
  /** By kind, the most frequent first. */
  readonly kinds: readonly (readonly [kind: string, count: number])[]
  readonly reloads: number
  readonly failedReloads: number
  /** Of the reloads that succeeded; undefined: none did. */
  readonly reloadMs: number | undefined
}

/** In order of appearance in the samples. */
export function reloadRows(samples: readonly ReloadSample[]): readonly ReloadRow[] {
  return [...new Set(samples.map(({ contender }) => contender))].map((contender) => {
    const mine = samples.filter((sample) => sample.contender === contender)
    const counts = new Map<string, number>()
    for (const { failed } of mine) for (const [kind, count] of Object.entries(failed)) counts.set(kind, (counts.get(kind) ?? 0) + count)
    const kinds = [...counts].sort(([, one], [, other]) => other - one)
    const failed = sum([...counts.values()])
    const reloadsMs = mine.flatMap((sample) => sample.reloadsMs)
    return {
      contender,
      requests: sum(mine.map(({ answered }) => answered)) + failed,
      failed,
      kinds,
      reloads: reloadsMs.length,
      failedReloads: sum(mine.map(({ failedReloads }) => failedReloads.length)),
      reloadMs: reloadsMs.length === 0 ? undefined : median(reloadsMs),
    }
  })
}

/** A failed reload counts as one more missed target: it replaced nothing that could have failed a request. */
export function reloadVerdicts(rows: readonly ReloadRow[]): readonly Verdict[] {
  return reloadTargets.flatMap((target) =>
    rows
      .filter(({ contender }) => contender === target.contender)
      .map(({ failed, reloads, failedReloads }) => ({
        ...target,
        load: 'all',
        measured: failed,
        met: failed <= target.atMost && reloads > 0 && failedReloads === 0,
      })),
  )
}

export function reloadTable(rows: readonly ReloadRow[]): string {
  return markdown(
    ['contender', 'requests', 'failed', 'of 10,000', 'how', 'reloads', 'reloads that failed', 'a reload takes s'],
    rows.map(({ contender, requests, failed, kinds, reloads, failedReloads, reloadMs }) => [
      contender,
      requests.toLocaleString('en'),
      failed.toLocaleString('en'),
      ((failed / requests) * 10_000).toFixed(2),
      kinds.map(([kind, count]) => `${count.toLocaleString('en')} ${kind}`).join(', '),
      `${reloads}`,
      `${failedReloads}`,
      reloadMs === undefined ? '' : (reloadMs / 1000).toFixed(1),
    ]),
  )
}

/** The load of all contenders, in words. */
export function reloadLoad(load: Load | undefined): readonly string[] {
  const { 'kept-alive': kept, 'new-connections': fresh } = CONNECTIONS
  const others = load === undefined ? '' : `${load.name} on ${kept} kept-alive connections and ${fresh} that are new for each request; `
  return [
    `${others}${CLIENTS} clients of Node on kept-alive connections and ${CLIENTS} on new ones, every third request a POST; one reload after the other`,
  ]
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
