// The ring of decisions: what it keeps, when it records, and what a follower gets.

import { KeyHasher } from '@switchyard/routing'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { type DecisionLine, DecisionLog } from '../../src/decisions/decision-log.ts'
import type { MadeDecision } from '../../src/decisions/decision-ring.ts'

const test = suite('decision log')
const hasher = new KeyHasher(KeyHasher.secretOf('secret'))
const made = (route: string, key?: string): MadeDecision => ({
  timeMs: 1,
  route,
  pool: 'web',
  isProxy: false,
  policy: 'sticky-hash',
  origin: 'client',
  waitedMs: 2,
  key: key === undefined ? undefined : { kind: 'cookie sid', value: key },
  worker: { slot: 1, generation: 3 },
  by: 'policy',
  refused: undefined,
  candidates: [],
})

test('it records nothing before the first reader, unless the config says so', () => {
  const log = new DecisionLog({ isAlwaysOn: false, hasher })
  log.record(made('/a'))
  assert.not.ok(log.isOn)
  assert.equal(log.last(10), [])
  log.record(made('/b'))
  assert.equal(
    log.last(10).map(({ number, route }) => [number, route]),
    [[1, '/b']],
  )
  log.stop()
  const always = new DecisionLog({ isAlwaysOn: true, hasher })
  always.record(made('/a'))
  assert.is(always.last(10).length, 1)
  always.stop()
})

test('it keeps the newest 1,000, and shows hashes of keys', () => {
  const log = new DecisionLog({ isAlwaysOn: true, hasher })
  for (let count = 1; count <= 2_500; count++) log.record(made(`/${count}`, 'alice'))
  const all = log.last(5_000)
  assert.is(all.length, 1_000)
  assert.equal([all[0]?.number, all[0]?.route, all.at(-1)?.route], [1_501, '/1501', '/2500'])
  assert.equal(
    log.last(2, ({ number }) => number % 2 === 0).map(({ number }) => number),
    [2_498, 2_500],
  )
  assert.equal(all[0]?.key, { kind: 'cookie sid', hash: hasher.of('alice') })
  assert.match(hasher.of('alice'), /^[\da-f]{12}$/)
  assert.is.not(hasher.of('alice'), new KeyHasher(KeyHasher.secretOf('another')).of('alice'))
  log.stop()
})

test('a follower gets every decision in order, and the number of those that it missed', async () => {
  const log = new DecisionLog({ isAlwaysOn: false, hasher })
  const lines: DecisionLine[] = []
  const unfollow = log.follow((line) => lines.push(line))
  assert.ok(log.isOn)
  for (let count = 1; count <= 10; count++) log.record(made('/'))
  await until(() => lines.length === 10)
  for (let count = 1; count <= 1_500; count++) log.record(made('/'))
  await until(() => lines.length === 10 + 1 + 1_000)
  assert.equal(lines[10], { lost: 500 })
  assert.equal(
    lines.flatMap((line) => ('decision' in line ? [line.decision.number] : [])),
    [...Array(10).keys()].map((index) => index + 1).concat([...Array(1_000).keys()].map((index) => index + 511)),
  )
  unfollow()
  log.stop()
})

test.run()
