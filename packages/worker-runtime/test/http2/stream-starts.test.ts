// Streams begin for a bounded time of each turn, and connections take turns.

import { assert, suite } from '../../../../test/suite.ts'
import { StreamStarts } from '../../src/http2/stream-starts.ts'

const test = suite('starts of streams')
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('what costs little begins at once, and what is left waits for the next turn', async () => {
  let nowMs = 0
  const starts = new StreamStarts(() => nowMs)
  for (let count = 0; count < 9; count++) {
    assert.is(starts.isFull, false)
    starts.run(() => {
      nowMs++
    })
    if (starts.isFull) break
  }
  assert.is(nowMs, 5)
  const begun: string[] = []
  const [one, other] = [{}, {}]
  for (const name of ['a1', 'a2', 'a3']) starts.add(one, () => begun.push(name))
  for (const name of ['b1', 'b2']) starts.add(other, () => begun.push(name))
  assert.equal(begun, [])
  await nextTurn()
  assert.equal(begun, ['a1', 'b1', 'a2', 'b2', 'a3'])
  assert.is(starts.isFull, false)
})

test('expensive starts take one turn each', async () => {
  let nowMs = 0
  const starts = new StreamStarts(() => nowMs)
  const begun: number[] = []
  for (let count = 0; count < 3; count++)
    starts.add(starts, () => {
      nowMs += 50
      begun.push(count)
    })
  const seen: number[] = []
  while (begun.length < 3) {
    await nextTurn()
    seen.push(begun.length)
  }
  assert.equal(seen, [1, 2, 3])
  await nextTurn()
  assert.is(starts.isFull, false)
})

test('a start that throws does not keep the others from beginning', async () => {
  let nowMs = 0
  const starts = new StreamStarts(() => nowMs)
  const fail = (): void => {
    nowMs += 5
    throw new Error('of the app')
  }
  assert.throws(() => starts.run(fail), /of the app/)
  let hasBegun = false
  starts.add({}, () => {
    hasBegun = true
  })
  await nextTurn()
  assert.ok(hasBegun)
})

test.run()
