// Frames over the control pipe are whole however they are cut, bounded, and given to the listener that accepts them.

import { Duplex, PassThrough } from 'node:stream'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { ControlPipe, MAX_FRAME_CHARS } from '../../src/pipes/control-pipe.ts'
import { questionFrame, readQuestion } from '../../src/portable/portable-protocol.ts'

const test = suite('control pipe')

/** One end, and the stream that the other end writes to. */
function listening(): { pipe: ControlPipe; input: PassThrough; received: object[] } {
  const input = new PassThrough()
  const pipe = new ControlPipe(Duplex.from({ readable: input, writable: new PassThrough() }))
  const received: object[] = []
  pipe.onFrame((frame) => 'known' in frame && received.push(frame) > 0)
  return { pipe, input, received }
}

test('frames arrive whole and in order, even in pieces of one byte', async () => {
  const { pipe, input, received } = listening()
  const frames = [{ known: 1 }, { known: 'Zoë\n€' }, { known: { deep: [1, 2] } }]
  for (const byte of Buffer.from(frames.map((frame) => `${JSON.stringify(frame)}\n`).join(''))) input.write(Buffer.from([byte]))
  await until(() => received.length === 3)
  assert.equal(received, frames)
  assert.is(pipe.faults, 0)
})

for (const [what, text] of [
  ['no JSON', 'nonsense'],
  ['no object', '7'],
  ['a list', '[1]'],
  ['null', 'null'],
  ['an empty line', ''],
  ['accepted by no listener', '{"unknown":1}'],
  ['too long', `{"known":"${'x'.repeat(MAX_FRAME_CHARS)}"}`],
] as const) {
  test(`a line that is ${what} is counted, and the next one arrives`, async () => {
    const { pipe, input, received } = listening()
    input.write(`${text}\n{"known":1}\n`)
    await until(() => received.length > 0)
    assert.equal(received, [{ known: 1 }])
    assert.is(pipe.faults, 1)
  })
}

test('a line without end is not kept', async () => {
  const { pipe, input, received } = listening()
  for (let at = 0; at < 5; at++) input.write('x'.repeat(MAX_FRAME_CHARS / 2))
  input.write('\n{"known":1}\n')
  await until(() => received.length > 0)
  assert.equal(received, [{ known: 1 }])
  assert.is(pipe.faults, 1)
})

test('when the other side leaves too much unread, the pipe is closed and that is reported once', () => {
  const overflows: number[] = []
  const stream = new Duplex({ read() {}, write() {} })
  const pipe = new ControlPipe(stream, { maxUnsentBytes: 1000, onOverflow: () => overflows.push(pipe.unsent) })
  for (let at = 0; at < 10; at++) pipe.send({ known: 'x'.repeat(400) })
  assert.is(overflows.length, 1)
  assert.ok(stream.destroyed)
})

test('a question arrives with every byte of its head', () => {
  const head = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('latin1')
  const frame = JSON.parse(JSON.stringify(questionFrame(7, 0, 258, 3, '::1', head)))
  assert.equal(readQuestion(frame), {
    id: 7,
    avoid: 0,
    reason: 258,
    listener: 3,
    address: '::1',
    head: Buffer.from(head, 'latin1'),
    hello: '',
  })
  assert.is(readQuestion({ switchyard: 'drained' }), undefined)
})

for (const [what, changes] of [
  ['no number', { ask: '7' }],
  ['the number 0', { ask: 0 }],
  ['half a number', { ask: 1.5 }],
  ['a number that is no word', { avoid: 2 ** 31 }],
  ['a negative reason', { reason: -1 }],
  ['a negative listener', { listener: -1 }],
  ['an address that is too long', { address: 'x'.repeat(65) }],
  ['no head', { head: undefined }],
] as const) {
  test(`a question with ${what} is a fault`, () => {
    assert.is(readQuestion({ ...questionFrame(7, 0, 0, 0, '', 'GET'), ...changes }), 'fault')
  })
}

test.run()
