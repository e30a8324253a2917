// From the samples of `sessions` to rows, verdicts and a table. Pure.

import { markdown, median, pairedRatio, type Verdict } from './report.ts'
import { CONNECT_REDIS, roundTripTarget, throughputTargets } from './session-scenarios.ts'
import type { SessionSample } from './sessions.ts'

/** The rounds of one contender in one scenario; medians. */
export interface SessionRow {
  readonly load: string
  readonly scenario: string
  readonly contender: string
  readonly rounds: number
  readonly requestsPerSecond: number
  readonly requestsPerSecondLowest: number
  readonly requestsPerSecondHighest: number
  /** `requestsPerSecond` over that of connect-redis in the same scenario. */
  readonly againstConnectRedis: number | undefined
  /** CPU time of the balancer and its workers per request, in microseconds. */
  readonly cpuUs: number
  /** Of Redis; undefined: there is none. */
  readonly redisUs: number | undefined
  /** Per request; undefined: there is no Redis. */
  readonly roundTrips: number | undefined
}

/** In order of appearance in the samples of the first round. */
export function sessionRows(samples: readonly SessionSample[]): readonly SessionRow[] {
  const rows: SessionRow[] = []
  for (const scenario of new Set(samples.map((sample) => sample.scenario))) {
    const of = (name: string): readonly SessionSample[] =>
      samples.filter((sample) => sample.scenario === scenario && sample.contender === name)
    const reference = of(CONNECT_REDIS)
    for (const contender of new Set(samples.map((sample) => sample.contender))) {
      const mine = of(contender)
      const [first] = mine
      if (first === undefined) continue
      const speeds = mine.map(perSecond)
      const requestsPerSecond = median(speeds)
      const perRequest = (what: (sample: SessionSample) => number | undefined): number | undefined =>
        what(first) === undefined ? undefined : median(mine.map((sample) => (what(sample) ?? 0) / sample.requests))
      rows.push({
        ...{ load: first.load, scenario, contender, rounds: mine.length, requestsPerSecond },
        requestsPerSecondLowest: Math.min(...speeds),
        requestsPerSecondHighest: Math.max(...speeds),
        againstConnectRedis: reference.length === 0 ? undefined : pairedRatio(mine, reference, perSecond),
        cpuUs: perRequest(({ cpuMs }) => cpuMs * 1000) as number,
        redisUs: perRequest(({ redisCpuMs }) => redisCpuMs && redisCpuMs * 1000),
        roundTrips: perRequest(({ roundTrips }) => roundTrips),
      })
    }
  }
  return rows
}

/** Scenarios that were not run have none. */
export function sessionVerdicts(rows: readonly SessionRow[]): readonly Verdict[] {
  const rowOf = (target: { readonly scenario: string; readonly contender: string }): SessionRow | undefined =>
    rows.find(({ scenario, contender }) => scenario === target.scenario && contender === target.contender)
  const verdict = <T extends { readonly atMost: number }>(target: T, load: string | undefined, measured: number | undefined) =>
    load === undefined || measured === undefined ? [] : [{ ...target, load, measured, met: measured <= target.atMost }]
  const near = rowOf(roundTripTarget)
  return [
    ...throughputTargets.flatMap((target) => {
      const row = rowOf(target)
      return verdict(
        { ...target, scenario: `${target.scenario}, time` },
        row?.load,
        row?.againstConnectRedis && 1 / row.againstConnectRedis,
      )
    }),
    ...verdict(roundTripTarget, near?.load, near?.roundTrips),
  ]
}

export function sessionTable(rows: readonly SessionRow[]): string {
  const count = (value: number): string => Math.round(value).toLocaleString('en')
  return markdown(
    ['scenario', 'contender', 'requests/s', 'lowest–highest', '× connect-redis', 'CPU µs', 'Redis µs', 'round trips'],
    rows.map((row) => [
      row.scenario,
      row.contender,
      count(row.requestsPerSecond),
      `${count(row.requestsPerSecondLowest)}–${count(row.requestsPerSecondHighest)}`,
      row.againstConnectRedis?.toFixed(2) ?? '',
      row.cpuUs.toFixed(1),
      row.redisUs?.toFixed(1) ?? '',
      row.roundTrips?.toFixed(3) ?? '',
    ]),
  )
}

function perSecond({ requests, seconds }: SessionSample): number {
  return requests / seconds
}
