// Lines are sent in batches. A primary that does not read loses lines, which are counted, and no memory grows.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { FRAME_HEAD_BYTES, MAX_FRAME_BYTES, readFrameHead } from '../../src/access-frames.ts'
import { LineBatches } from '../../src/access-log/line-batches.ts'

const test = suite('line batches')

function batches() {
  const sink = {
    frames: [] as Buffer[],
    lost: 0,
    unsent: 0,
    /** A pipe that has room copies. */
    write: (frame: Buffer) => void sink.frames.push(sink.unsent > 0 ? frame : Buffer.from(frame)),
    onLost(count: number) {
      sink.lost += count
    },
    get text() {
      return sink.frames.map((frame) => frame.toString('latin1', FRAME_HEAD_BYTES)).join('')
    },
  }
  const log = new LineBatches(sink)
  const add = (line: string) => {
    const buffer = log.open()
    buffer.writeText(line, 'text')
    buffer.endLine()
    log.close()
  }
  return { sink, log, add }
}

test('a few lines come together after a moment, many at once', async () => {
  const { sink, log, add } = batches()
  add('one')
  add('two')
  assert.equal(sink.frames, [])
  await until(() => sink.frames.length > 0)
  assert.is(sink.text, 'one\ntwo\n')
  for (let line = 0; line < 3_000; line++) add('x'.repeat(100))
  assert.ok(sink.frames.length >= 2)
  log.flush()
  assert.is(sink.text.split('\n').length - 1, 3_002)
  for (const frame of sink.frames) {
    assert.ok(frame.length <= MAX_FRAME_BYTES)
    assert.equal(readFrameHead(frame), {
      bytes: frame.length - FRAME_HEAD_BYTES,
      lines: frame.filter((byte) => byte === 10).length - headFeeds(frame),
    })
  }
})

test('while the primary does not read, lines are dropped and counted', () => {
  const { sink, log, add } = batches()
  sink.unsent = 2 * 1024 * 1024
  for (let line = 0; line < 5; line++) add('lost')
  log.flush()
  add('lost too')
  log.flush()
  assert.equal([sink.text, sink.lost], ['', 0])
  sink.unsent = 0
  add('kept')
  log.flush()
  assert.equal([sink.text, sink.lost], ['kept\n', 6])
})

test('the count comes even if no line follows, and a long line is cut', async () => {
  const { sink, log, add } = batches()
  sink.unsent = 2 * 1024 * 1024
  add('lost')
  log.flush()
  sink.unsent = 0
  await until(() => sink.lost === 1)
  add('y'.repeat(20_000))
  log.flush()
  assert.is(sink.text.length, 8 * 1024 + 1)
})

test('later lines do not overwrite those that the kernel has not taken yet', () => {
  const { sink, log, add } = batches()
  sink.unsent = 1
  for (const line of ['one', 'two', 'three']) {
    add(line)
    log.flush()
  }
  assert.is(sink.text, 'one\ntwo\nthree\n')
})

/** Line feeds among the numbers of the head. */
function headFeeds(frame: Buffer): number {
  return frame.subarray(0, FRAME_HEAD_BYTES).filter((byte) => byte === 10).length
}

test.run()
