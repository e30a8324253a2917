// From the samples of `grpc` to rows, verdicts and a table. Pure.

import { type CallKind, type CallSample, callContenders, callKinds } from './grpc.ts'
import { formatMs, markdown, median, pairedRatio, type Verdict } from './report.ts'

const [ONE, FOUR, UNSPREAD] = callContenders
/** Four workers take at most this part of the time of one: 3.5 times as fast. */
const BLOCKING_AT_MOST = 1 / 3.5
/** Light calls with `spread` over those without. */
const LIGHT_AT_MOST = 1.1

export interface CallRow {
  readonly kind: CallKind
  readonly contender: string
  readonly blockingMs: number
  readonly lightMs: number
  readonly workers: number
}

export function callRows(samples: readonly CallSample[]): readonly CallRow[] {
  return callKinds.flatMap((kind) =>
    callContenders.map(({ name: contender }) => {
      const own = by(samples, kind, contender)
      return {
        ...{
          kind,
          contender,
          blockingMs: median(own.map(({ blockingMs }) => blockingMs)),
          lightMs: median(own.map(({ lightMs }) => lightMs)),
        },
        workers: Math.min(...own.map(({ workers }) => workers)),
      }
    }),
  )
}

export function callVerdicts(samples: readonly CallSample[]): readonly Verdict[] {
  return callKinds.flatMap((kind) => {
    const four = by(samples, kind, FOUR.name)
    const blocking = pairedRatio(four, by(samples, kind, ONE.name), ({ blockingMs }) => blockingMs)
    const light = pairedRatio(four, by(samples, kind, UNSPREAD.name), ({ lightMs }) => lightMs)
    const load = kind === 'grpc' ? '@grpc/grpc-js' : 'node:http2'
    return [
      { scenario: `${kind}, blocking`, contender: FOUR.name, against: ONE.name, load, atMost: BLOCKING_AT_MOST, measured: blocking },
      { scenario: `${kind}, light`, contender: FOUR.name, against: UNSPREAD.name, load, atMost: LIGHT_AT_MOST, measured: light },
    ].map((verdict) => ({ ...verdict, met: verdict.measured <= verdict.atMost }))
  })
}

export function callTable(rows: readonly CallRow[]): string {
  return markdown(
    ['server', 'contender', 'blocking ms', 'times as fast', 'light ms', 'workers'],
    rows.map(({ kind, contender, blockingMs, lightMs, workers }) => {
      const one = rows.find((row) => row.kind === kind && row.contender === ONE.name) as CallRow
      return [kind, contender, formatMs(blockingMs), (one.blockingMs / blockingMs).toFixed(2), formatMs(lightMs), String(workers)]
    }),
  )
}

function by(samples: readonly CallSample[], kind: CallKind, contender: string): readonly CallSample[] {
  return samples.filter((sample) => sample.kind === kind && sample.contender === contender)
}
