// What a worker of the portable channel says in its pipe of claims, when it lies: it can hurt only itself.

import type { ChildProcess } from 'node:child_process'
import { PassThrough } from 'node:stream'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { HeldSockets } from '../../src/node-internals/held-socket.ts'
import type { ControlPipe } from '../../src/pipes/control-pipe.ts'
import { PortableChannel } from '../../src/portable/portable-channel.ts'
import { PortableLoadRow } from '../../src/portable/portable-load-row.ts'
import { loadFrame, RecordReader, RecordWriter, readLoad, recordKinds } from '../../src/portable/portable-protocol.ts'

const test = suite('portable: records')
const IDLE = { inFlight: 0, received: 0, connections: 0, latencyUs: 0 }

function bytesOf(kind: number, number: number, load = IDLE): Buffer {
  return Buffer.from(new RecordWriter().write(kind, number, load))
}

function channelWithLiar() {
  const claims = new PassThrough()
  const asked: object[] = []
  let turned = 0
  const row = new PortableLoadRow(() => channel.askTurn())
  const listener = { onGivenBack: () => {}, onAsked: () => {}, onTurned: () => void turned++, onBatchEnd: () => {} }
  const channel: PortableChannel = new PortableChannel(listener, new HeldSockets(), row, 8)
  const control = { send: (frame: object) => asked.push(frame), close: () => {} } as unknown as ControlPipe
  channel.started({ child: { connected: true } as ChildProcess, control, claims })
  const say = async (bytes: Buffer) => {
    claims.write(bytes)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { channel, row, asked, say, turned: () => turned }
}

test('records are whole in pieces of one byte', () => {
  const reader = new RecordReader()
  const all = Buffer.concat([bytesOf(1, 2, { inFlight: 3, received: 4, connections: 5, latencyUs: 6 }), bytesOf(4, 0)])
  const read = [...all].flatMap((byte) => reader.read(Buffer.from([byte])))
  assert.equal(read, [
    { kind: 1, number: 2, inFlight: 3, received: 4, connections: 5, latencyUs: 6 },
    { kind: 4, number: 0, ...IDLE },
  ])
})

for (const [what, kind, number] of [
  ['a claim of what was never sent', recordKinds.claimed, 1],
  ['a turn after what was never sent', recordKinds.turned, 1],
  ['word of a hand-off without connection that was never sent', recordKinds.empty, 1],
  ['an unknown kind', 99, 0],
] as const) {
  test(`${what} is a fault, and changes nothing`, async () => {
    const { channel, row, say } = channelWithLiar()
    await say(bytesOf(kind, number))
    assert.equal([row.faults, channel.claimed, channel.outstanding, row.isFree], [1, 0, 0, true])
  })
}

test('loads that can’t be are clamped and counted', async () => {
  const { row, say } = channelWithLiar()
  await say(bytesOf(recordKinds.turnedWhenAsked, 0, { inFlight: -1, received: 9, connections: -7, latencyUs: -3 }))
  assert.equal([row.faults, row.inFlight, row.connections, row.latencyMs], [1, 0, 0, 0])
  row.handedOff = 1
  assert.equal([row.inFlight, row.isFree], [1, false])
})

test('who waits for a loop that has nothing to answer asks it once; when the answer does not come it is busy', async () => {
  const { row, asked, say, turned } = channelWithLiar()
  row.requestNotice()
  row.requestNotice()
  assert.equal(asked, [{ turn: true }])
  assert.is(row.isFree, true, 'an answer takes a moment')
  await until(() => !row.isFree)
  assert.ok(row.busyMs >= 20)
  await say(bytesOf(recordKinds.turnedWhenAsked, 0))
  assert.equal([row.isFree, row.busyMs, turned()], [true, 0, 1])
  await say(bytesOf(recordKinds.turnedWhenAsked, 0))
  assert.is(turned(), 1, 'a second answer is none')
})

test('a load that is said at once is checked', () => {
  const load = { inFlight: 1, received: 2, connections: 3, latencyUs: 4 }
  assert.equal(readLoad(JSON.parse(JSON.stringify(loadFrame(load)))), load)
  assert.is(readLoad({ load: [1, 2, 3] }), undefined)
  assert.is(readLoad({ load: 'high' }), undefined)
  assert.equal(readLoad({ load: [1.5, -2, '3', null] }), { inFlight: -1, received: -1, connections: -1, latencyUs: -1 })
})

test('an old report does not overrule a newer record', async () => {
  const { row, say } = channelWithLiar()
  row.handedOff = 3
  await say(bytesOf(recordKinds.turnedWhenAsked, 0, { inFlight: 2, received: 3, connections: 2, latencyUs: 1000 }))
  const slower = { loopLagMs: 4, utilisation: 0, latencyMs: 0, memoryBytes: 0 }
  row.report({ inFlight: 0, connections: 0, received: 1, begun: 9, failed: 8, ...slower })
  assert.equal([row.inFlight, row.loopLagMs, row.begun, row.failed], [2, 4, 9, 8])
})

test('whatever a worker says shows that its loop turns', async () => {
  const { row, say } = channelWithLiar()
  assert.is(row.turns, 0)
  await say(bytesOf(recordKinds.turnedWhenAsked, 0))
  assert.is(row.turns, 1)
  row.recordReportedLoad(IDLE)
  assert.is(row.turns, 2)
  row.report({ ...IDLE, begun: 0, failed: 0, loopLagMs: 0, utilisation: 0, latencyMs: 0, memoryBytes: 0 })
  assert.is(row.turns, 3)
})

test.run()
