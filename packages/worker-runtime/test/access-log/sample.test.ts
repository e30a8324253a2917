// Which requests the access log takes.

import { assert, suite } from '../../../../test/suite.ts'
import { Sample } from '../../src/access-log/sample.ts'

const test = suite('access log sample')

/** A generator with a seed (mulberry32), so that the test has one result. */
function chanceOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

const takenOf = (share: number, requests: number) => {
  const sample = new Sample(share, chanceOf(1))
  return Array.from({ length: requests }, () => sample.takes())
}

test('all, none, and a share', () => {
  assert.ok(takenOf(1, 100).every((taken) => taken))
  assert.ok(takenOf(0, 100).every((taken) => !taken))
  for (const share of [0.001, 0.1, 0.5, 0.99]) {
    const requests = 100_000
    const count = takenOf(share, requests).filter((taken) => taken).length
    const deviation = Math.sqrt(requests * share * (1 - share))
    assert.ok(Math.abs(count - requests * share) < 5 * deviation, `${share}: ${count}`)
  }
})

test('the first request is taken as often as any other', () => {
  const first = Array.from({ length: 10_000 }, (_, seed) => new Sample(0.25, chanceOf(seed)).takes()).filter((taken) => taken).length
  assert.ok(Math.abs(first - 2_500) < 5 * Math.sqrt(10_000 * 0.25 * 0.75), String(first))
})

test.run()
