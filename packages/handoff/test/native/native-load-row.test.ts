// How the primary interprets the words of a worker's load row.

import { assert, suite } from '../../../../test/suite.ts'
import { NativeLoadRow, readClock, rowWords } from '../../src/index.ts'
import { primaryWords, ROW_WORDS } from '../../src/load/shared-page.ts'

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
  const memory = new Int32Array(ROW_WORDS)
  for (const [name, value] of Object.entries(words)) memory[rowWords[name as keyof typeof rowWords]] = value
  return { memory, row: new NativeLoadRow(memory) }
}

/** The clock of `busySince`. */
const nowUs = () => Number((process.hrtime.bigint() / 1000n) & 0xffffffffn) | 0

test('hand-offs on their way count as in flight, and a loop is free when it waits and has received all of them', () => {
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
  readClock()
  assert.ok(row.busyMs >= 249.9 && row.busyMs < 60_000, `${row.busyMs} ms`)
  assert.is(rowOf({ turnWaitUs: 1500, latencyUs: 2500 }).row.turnWaitMs, 1.5)
  assert.is(rowOf({ latencyUs: 2500 }).row.latencyMs, 2.5)
})

for (const [what, words, handedOff] of [
  ['a negative number of requests', { inFlight: -5 }, 0],
  ['a negative number of connections', { connections: -1 }, 0],
  ['a negative number of received hand-offs', { received: -1 }, 0],
  ['more hand-offs received than sent', { received: 9 }, 3],
  ['a negative latency', { latencyUs: -1 }, 0],
  ['a negative wait', { turnWaitUs: -1 }, 0],
  ['a negative loop delay', { loopLagUs: -1 }, 0],
  ['a negative utilisation', { utilisation: -1 }, 0],
] as const) {
  test(`an impossible value is ignored and counted: ${what}`, () => {
    const { row } = rowOf(words)
    row.handedOff = handedOff
    readClock()
    const { inFlight, connections, busyMs, turnWaitMs, latencyMs, loopLagMs, utilisation } = row
    for (const value of [inFlight, connections, busyMs, turnWaitMs, latencyMs, loopLagMs, utilisation]) assert.is(value, 0)
    row.report(REPORT)
    row.report(REPORT)
    assert.is(row.faults, 2)
  })
}

test('counts since the start wrap and are never below 0', () => {
  const { row } = rowOf({ turns: -1, begun: 5, failed: -2 })
  assert.equal([row.turns, row.begun, row.failed], [2 ** 32 - 1, 5, 2 ** 32 - 2])
})

test('a turn that begins in the future has a length of 0', () => {
  const { row } = rowOf({ busySince: (nowUs() + 5_000_000) | 0 })
  readClock()
  assert.is(row.busyMs, 0)
  assert.not.ok(row.isFree)
})

test('a possible report is no fault', () => {
  const { row } = rowOf({ inFlight: 1, received: 2, connections: 2, latencyUs: 5, loopLagUs: 1000, utilisation: 500 })
  row.handedOff = 2
  row.report(REPORT)
  assert.equal([row.faults, row.loopLagMs, row.utilisation, row.memoryBytes], [0, 1, 0.5, 7])
})

test('utilisation is at most 1', () => {
  const { row } = rowOf({ utilisation: 1000 })
  row.report(REPORT)
  assert.equal([row.utilisation, row.faults], [1, 0])
  const { row: liar } = rowOf({ utilisation: 1001 })
  liar.report(REPORT)
  assert.equal([liar.utilisation, liar.faults], [1, 1])
})

test('a request for a notice stands until it is sent, and then the next can be made', () => {
  const { memory, row } = rowOf()
  row.requestNotice()
  row.requestNotice()
  assert.is(memory[primaryWords.noticeWanted], 1)
  memory[rowWords.noticeSent] = 1
  row.requestNotice()
  assert.is(memory[primaryWords.noticeWanted], 2)
  row.cancelNotice()
  assert.is(memory[primaryWords.noticeWanted], 1)
})

test('a notice names how many hand-offs must have been received: all, or all but those that are offered ahead', () => {
  const { memory, row } = rowOf({ turnWaitUs: 9_000, requestTurnUs: 3_000 })
  row.handedOff = 300
  row.requestNotice()
  assert.is((memory[primaryWords.noticeWanted] as number) >> 8, 300)
  memory[rowWords.turnWaitUs] = 1_000
  row.requestNotice()
  assert.is((memory[primaryWords.noticeWanted] as number) >> 8, 299, 'two may be on their way: the notice comes before the second is taken')
  row.handedOff = 2 ** 24 + 5
  row.requestNotice()
  assert.is((memory[primaryWords.noticeWanted] as number) >> 8, 4, 'the low bits of the count are enough')
})

for (const [what, words, handedOff, nextInMs] of [
  ['whose turns are of unknown length', { turnWaitUs: 10_000, requestTurnUs: 0 }, 0, Number.POSITIVE_INFINITY],
  ['whose turns are spread far', { turnWaitUs: 42_000, requestTurnUs: 11_800 }, 0, Number.POSITIVE_INFINITY],
  ['that has just begun a turn of 8 ms', { turnWaitUs: 4_000, requestTurnUs: 8_000 }, 0, 8],
  ['that has one of 8 ms on its way', { turnWaitUs: 4_000, requestTurnUs: 8_000 }, 1, Number.POSITIVE_INFINITY],
  ['that has one of 3 ms on its way', { turnWaitUs: 1_000, requestTurnUs: 3_000 }, 1, 6],
  ['that has two of 3 ms on their way', { turnWaitUs: 1_000, requestTurnUs: 3_000 }, 2, Number.POSITIVE_INFINITY],
  ['that has ever so many short ones on their way', { turnWaitUs: 1, requestTurnUs: 2 }, 64, Number.POSITIVE_INFINITY],
  ['with turns of five requests of 8 ms, that has four on their way', { turnWaitUs: 4_000, requestTurnUs: 8_000, turnUs: 40_000 }, 4, 72],
  [
    "with such turns, that has four turns' worth on their way",
    { turnWaitUs: 4_000, requestTurnUs: 8_000, turnUs: 40_000 },
    20,
    Number.POSITIVE_INFINITY,
  ],
] as const) {
  test(`a busy loop ${what}: one more is taken ${nextInMs === Number.POSITIVE_INFINITY ? 'at a time that is not known' : `in ${nextInMs} ms`}`, () => {
    const { memory, row } = rowOf(words)
    row.handedOff = handedOff
    readClock()
    memory[rowWords.busySince] = nowUs()
    assert.ok(Math.abs(row.nextInMs - nextInMs) < 1 || row.nextInMs === nextInMs, `${row.nextInMs}`)
  })
}

test('a waiting loop takes at once what is on its way, so it may have one more', () => {
  const { row } = rowOf({ turnWaitUs: 4_000, requestTurnUs: 8_000 })
  row.handedOff = 1
  assert.is(row.nextInMs, 16)
})

test('a turn that takes several times as long as usual is overdue, and nothing more is offered ahead', () => {
  const { row } = rowOf({ turnWaitUs: 4_000, requestTurnUs: 8_000, turnUs: 5_000, busySince: (nowUs() - 40_000) | 0 })
  readClock()
  assert.equal([row.isOverdue, row.nextInMs], [true, Number.POSITIVE_INFINITY])
})

test.run()
