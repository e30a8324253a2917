// The report of `grpc`: ratios by round, and a target that is missed.

import { assert, suite } from '../../test/suite.ts'
import type { CallSample } from '../src/grpc.ts'
import { callRows, callTable, callVerdicts } from '../src/grpc-report.ts'

const test = suite('bench grpc')

function samples(fourMs: number, lightMs: number): CallSample[] {
  return (['grpc', 'http'] as const).flatMap((kind) =>
    [1, 2, 3].flatMap((round) => [
      { kind, round, contender: 'one worker', blockingMs: 840 * round, lightMs: 40, workers: 1 },
      { kind, round, contender: 'four workers', blockingMs: fourMs * round, lightMs, workers: 4 },
      { kind, round, contender: 'four workers, no spread', blockingMs: 850 * round, lightMs: 40, workers: 1 },
    ]),
  )
}

test('a round is compared with the same round', () => {
  const met = callVerdicts(samples(240, 44)).map(({ scenario, met }) => [scenario, met])
  assert.equal(met, [
    ['grpc, blocking', true],
    ['grpc, light', true],
    ['http, blocking', true],
    ['http, light', true],
  ])
  assert.ok(callVerdicts(samples(241, 45)).every((verdict) => !verdict.met))
})

test('the table says how many times as fast four workers are', () => {
  const lines = callTable(callRows(samples(240, 44))).split('\n')
  assert.is(lines.length, 8)
  assert.match(lines[3] ?? '', /\| grpc +\| four workers +\| +480\.0 \| +3\.50 \|/)
})

test.run()
