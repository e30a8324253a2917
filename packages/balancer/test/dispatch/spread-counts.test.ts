// Which worker gets a spread stream.

import * as assert from 'uvu/assert'
import { suite } from '../../../../test/suite.ts'
import { SpreadCounts } from '../../src/dispatch/spread-counts.ts'
import type { PoolWorker } from '../../src/supervisor/pool-worker.ts'

const test = suite('spread counts')

interface Row {
  inFlight: number
  begun: number
}

function workers(...rows: Row[]): PoolWorker[] {
  return rows.map((load, slot) => ({ slot, load }) as unknown as PoolWorker)
}

test('a burst is spread evenly before any of it has begun', () => {
  const counts = new SpreadCounts()
  const all = workers({ inFlight: 0, begun: 7 }, { inFlight: 2, begun: 0 }, { inFlight: 0, begun: 2 ** 32 - 1 })
  const got = [0, 0, 0]
  for (let count = 0; count < 10; count++) {
    const { slot } = counts.choose(all, all[0] as PoolWorker, 0) as PoolWorker
    got[slot] = (got[slot] as number) + 1
  }
  assert.equal(got, [4, 2, 4])
})

test('of equals the asker, then the first', () => {
  const [a, b, c] = workers({ inFlight: 1, begun: 0 }, { inFlight: 1, begun: 0 }, { inFlight: 1, begun: 0 }) as [
    PoolWorker,
    PoolWorker,
    PoolWorker,
  ]
  const counts = new SpreadCounts()
  assert.is(counts.choose([a, b, c], b, 0), b)
  assert.is(counts.choose([a, b, c], b, 0), a)
  assert.is(counts.choose([a, b, c], b, 0), c)
})

test('a request that has begun counts once, and one that never begins is forgotten', () => {
  const rows = [
    { inFlight: 0, begun: 2 ** 32 - 1 },
    { inFlight: 1, begun: 0 },
  ]
  const [a, b] = workers(...rows) as [PoolWorker, PoolWorker]
  const counts = new SpreadCounts()
  assert.is(counts.choose([a, b], a, 0), a)
  Object.assign(rows[0] as Row, { inFlight: 1, begun: 0 })
  assert.is(counts.choose([a, b], a, 10), a, 'one each')
  assert.is(counts.choose([a, b], a, 20), b, 'one more is on its way')
  assert.is(counts.choose([a, b], a, 2000), a, 'it never came')
})

test('without candidates there is no worker', () => assert.is(new SpreadCounts().choose([], {} as PoolWorker, 0), undefined))

test.run()
