// The row of a worker in shared memory: what the primary makes of its words.

import { assert, suite } from '../../../test/suite.ts'
import { lookAtClock, NativeLoadRow, rowWords } from '../src/index.ts'
import { WANTED_WORD } from '../src/native-load-row.ts'

const test = suite('native load row')
const REPORT = {
  inFlight: 0,
  connections: 0,
  received: 0,
  begun: 0,
  failed: 0,
  loopLagMs: 1,
  utilisation: 0.5,
  latencyMs: 0,
  memoryBytes: 7,
}

function rowOf(words: Partial<Record<keyof typeof rowWords, number>> = {}) {
  const memory = new Int32Array(32)
  for (const [name, value] of Object.entries(words)) memory[rowWords[name as keyof typeof rowWords]] = value
  return { memory, row: new NativeLoadRow(memory) }
}

/** The clock that busy loops are dated by. */
const nowUs = () => Number((process.hrtime.bigint() / 1000n) & 0xffffffffn) | 0

test('what is on its way counts as in flight, and a loop is free when it waits and has received everything', () => {
  const { memory, row } = rowOf({ inFlight: 2, received: 3, connections: 4 })
  row.handedOff = 3
  assert.equal([row.inFlight, row.connections, row.isFree], [2, 4, true])
  row.handedOff = 5
  assert.equal([row.inFlight, row.connections, row.isFree], [4, 6, false])
  memory[rowWords.received] = 5
  assert.ok(row.isFree)
  memory[rowWords.busySince] = nowUs()
  assert.not.ok(row.isFree)
})

test('a busy loop shows for how long', () => {
  const { memory, row } = rowOf()
  assert.is(row.busyMs, 0)
  memory[rowWords.busySince] = (nowUs() - 250_000) | 0
  lookAtClock()
  assert.ok(row.busyMs >= 249.9 && row.busyMs < 60_000, `${row.busyMs} ms`)
  assert.is(rowOf({ turnWaitUs: 1500, latencyUs: 2500 }).row.turnWaitMs, 1.5)
  assert.is(rowOf({ latencyUs: 2500 }).row.latencyMs, 2.5)
})

for (const [what, words, handedOff] of [
  ['fewer than no requests', { inFlight: -5 }, 0],
  ['fewer than no connections', { connections: -1 }, 0],
  ['less than nothing received', { received: -1 }, 0],
  ['more received than was handed off', { received: 9 }, 3],
  ['a negative latency', { latencyUs: -1 }, 0],
  ['a negative wait', { turnWaitUs: -1 }, 0],
  ['a loop that is early', { loopLagUs: -1 }, 0],
  ['a loop that is busy for less than no time', { utilisation: -1 }, 0],
] as const) {
  test(`nonsense is worth nothing, and is counted: ${what}`, () => {
    const { row } = rowOf(words)
    row.handedOff = handedOff
    lookAtClock()
    const { inFlight, connections, busyMs, turnWaitMs, latencyMs, loopLagMs, utilisation } = row
    for (const value of [inFlight, connections, busyMs, turnWaitMs, latencyMs, loopLagMs, utilisation]) assert.is(value, 0)
    row.report(REPORT)
    row.report(REPORT)
    assert.is(row.faults, 2)
  })
}

test('counts since the start are never below 0, however far they have come', () => {
  const { row } = rowOf({ turns: -1, begun: 5, failed: -2 })
  assert.equal([row.turns, row.begun, row.failed], [2 ** 32 - 1, 5, 2 ** 32 - 2])
})

test('a turn that begins in the future has lasted for no time', () => {
  const { row } = rowOf({ busySince: (nowUs() + 5_000_000) | 0 })
  lookAtClock()
  assert.is(row.busyMs, 0)
  assert.not.ok(row.isFree)
})

test('a report without nonsense is no fault', () => {
  const { row } = rowOf({ inFlight: 1, received: 2, connections: 2, latencyUs: 5, loopLagUs: 1000, utilisation: 500 })
  row.handedOff = 2
  row.report(REPORT)
  assert.equal([row.faults, row.loopLagMs, row.utilisation, row.memoryBytes], [0, 1, 0.5, 7])
})

test('a loop is busy all of the time, and no more', () => {
  const { row } = rowOf({ utilisation: 1000 })
  row.report(REPORT)
  assert.equal([row.utilisation, row.faults], [1, 0])
  const { row: liar } = rowOf({ utilisation: 1001 })
  liar.report(REPORT)
  assert.equal([liar.utilisation, liar.faults], [1, 1])
})

test('a wish stands until it is granted, and then another can be made', () => {
  const { memory, row } = rowOf()
  row.want()
  row.want()
  assert.is(memory[WANTED_WORD], 1)
  memory[rowWords.granted] = 1
  row.want()
  assert.is(memory[WANTED_WORD], 2)
  row.unwant()
  assert.is(memory[WANTED_WORD], 1)
})

test.run()
