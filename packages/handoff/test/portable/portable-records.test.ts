// A worker of the portable channel that writes false records to its claim pipe harms only itself.

import type { ChildProcess } from 'node:child_process'
import { PassThrough } from 'node:stream'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { HeldSockets } from '../../src/node-internals/held-socket.ts'
import type { ControlPipe } from '../../src/pipes/control-pipe.ts'
import { PortableChannel } from '../../src/portable/portable-channel.ts'
import { PortableLoadRow } from '../../src/portable/portable-load-row.ts'
import {
  loadFrame,
  questionFrame,
  RecordReader,
  RecordWriter,
  readLoad,
  readQuestion,
  recordKinds,
} from '../../src/portable/portable-protocol.ts'
import { packQuestion, unpackQuestion } from '../../src/returns.ts'

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
  const send = async (bytes: Buffer) => {
    claims.write(bytes)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { channel, row, asked, send, turned: () => turned }
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
  ['a claim of a hand-off that was never sent', recordKinds.claimed, 1],
  ['a turn after a hand-off that was never sent', recordKinds.turned, 1],
  ['a lost connection of a hand-off that was never sent', recordKinds.empty, 1],
  ['an unknown kind', 99, 0],
] as const) {
  test(`${what} is counted as a fault and changes nothing`, async () => {
    const { channel, row, send } = channelWithLiar()
    await send(bytesOf(kind, number))
    assert.equal([row.faults, channel.claimed, channel.outstanding, row.isFree], [1, 0, 0, true])
  })
}

test('impossible loads are clamped and counted', async () => {
  const { row, send } = channelWithLiar()
  await send(bytesOf(recordKinds.turnedWhenAsked, 0, { inFlight: -1, received: 9, connections: -7, latencyUs: -3 }))
  assert.equal([row.faults, row.inFlight, row.connections, row.latencyMs], [1, 0, 0, 0])
  row.handedOff = 1
  assert.equal([row.inFlight, row.isFree], [1, false])
})

test('requesting a notice asks an idle loop once; without an answer the loop counts as busy', async () => {
  const { row, asked, send, turned } = channelWithLiar()
  row.requestNotice()
  row.requestNotice()
  assert.equal(asked, [{ turn: true }])
  assert.is(row.isFree, true, 'the answer may still be on its way')
  await until(() => !row.isFree)
  assert.ok(row.busyMs >= 20)
  await send(bytesOf(recordKinds.turnedWhenAsked, 0))
  assert.equal([row.isFree, row.busyMs, turned()], [true, 0, 1])
  await send(bytesOf(recordKinds.turnedWhenAsked, 0))
  assert.is(turned(), 1, 'a second answer is ignored')
})

test('a question has its hello, and one with a hello of another type is a fault', () => {
  const asked = { id: 7, avoid: 0, reason: 1, listener: 2, address: '192.0.2.1', head: Buffer.from('GET') }
  for (const hello of ['', 'a.example 6832', '- ']) {
    const expected = { ...asked, hello }
    assert.equal(readQuestion(questionFrame(7, 0, 1, 2, '192.0.2.1', 'GET', hello)), expected)
    assert.equal(unpackQuestion(7, 0, 1, packQuestion(2, '192.0.2.1', 'GET', hello)), expected)
  }
  assert.is(unpackQuestion(7, 0, 1, packQuestion(2, '', 'GET'))?.address, '')
  assert.is(readQuestion({ ...questionFrame(7, 0, 1, 2, '', 'GET'), hello: 7 }), 'fault')
})

test('a load frame is checked', () => {
  const load = { inFlight: 1, received: 2, connections: 3, latencyUs: 4 }
  assert.equal(readLoad(JSON.parse(JSON.stringify(loadFrame(load)))), load)
  assert.is(readLoad({ load: [1, 2, 3] }), undefined)
  assert.is(readLoad({ load: 'high' }), undefined)
  assert.equal(readLoad({ load: [1.5, -2, '3', null] }), { inFlight: -1, received: -1, connections: -1, latencyUs: -1 })
})

test('an old report does not overrule a newer record', async () => {
  const { row, send } = channelWithLiar()
  row.handedOff = 3
  await send(bytesOf(recordKinds.turnedWhenAsked, 0, { inFlight: 2, received: 3, connections: 2, latencyUs: 1000 }))
  const slower = { loopLagMs: 4, utilisation: 0, latencyMs: 0, memoryBytes: 0 }
  row.report({ inFlight: 0, connections: 0, received: 1, begun: 9, failed: 8, ...slower })
  assert.equal([row.inFlight, row.loopLagMs, row.begun, row.failed], [2, 4, 9, 8])
})

test('every record and report of a worker shows that its loop turns', async () => {
  const { row, send } = channelWithLiar()
  assert.is(row.turns, 0)
  await send(bytesOf(recordKinds.turnedWhenAsked, 0))
  assert.is(row.turns, 1)
  row.recordReportedLoad(IDLE)
  assert.is(row.turns, 2)
  row.report({ ...IDLE, begun: 0, failed: 0, loopLagMs: 0, utilisation: 0, latencyMs: 0, memoryBytes: 0 })
  assert.is(row.turns, 3)
})

test.run()
