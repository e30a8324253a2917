// Lines are sent in batches, through a pipe or in shared memory. A primary that does not read loses lines, which are counted, and no memory grows.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { FRAME_HEAD_BYTES, MAX_FRAME_BYTES, readFrameHead } from '../../src/access-frames.ts'
import { LineBatches } from '../../src/access-log/line-batches.ts'
import { MemorySink, PipeSink } from '../../src/access-log/line-sinks.ts'
import { ACCESS_MEMORY_BYTES, AccessMemory, SEGMENTS } from '../../src/access-memory.ts'

const test = suite('line batches')

function overPipe() {
  const pipe = {
    frames: [] as Buffer[],
    writable: true,
    writableLength: 0,
    /** A pipe that has room copies. */
    write: (frame: Buffer) => void pipe.frames.push(pipe.writableLength > 0 ? frame : Buffer.from(frame)),
  }
  const found = { lost: 0 }
  const log = new LineBatches(
    new PipeSink(pipe, (count) => {
      found.lost += count
    }),
  )
  const text = () => pipe.frames.map((frame) => frame.toString('latin1', FRAME_HEAD_BYTES)).join('')
  const stop = () => {
    pipe.writableLength = 2 * 1024 * 1024
  }
  const goOn = () => {
    pipe.writableLength = 0
  }
  return { pipe, found, log, text, stop, goOn, add: adderOf(log) }
}

function overMemory() {
  const memory = new AccessMemory(new ArrayBuffer(ACCESS_MEMORY_BYTES))
  const found = { lost: 0, wakes: 0, text: '', isReading: true }
  const pipe = {
    writable: true,
    writableLength: 0,
    write() {
      found.wakes++
      if (found.isReading) read()
    },
  }
  /** As the primary does. */
  function read(): void {
    const given = memory.segments.filter(({ index }) => memory.sequenceOf(index) !== 0)
    for (const { index, bytes } of given.sort((one, other) => memory.sequenceOf(one.index) - memory.sequenceOf(other.index))) {
      const text = Buffer.from(bytes.subarray(0, memory.endOf(index))).toString('latin1')
      assert.is(memory.linesOf(index), text.split('\n').length - 1)
      found.text += text
      memory.giveBack(index)
    }
  }
  const log = new LineBatches(
    new MemorySink(pipe, memory, (count) => {
      found.lost += count
    }),
  )
  const stop = () => {
    found.isReading = false
  }
  const goOn = () => {
    found.isReading = true
    read()
  }
  return { memory, found, log, text: () => found.text, stop, goOn, add: adderOf(log) }
}

function adderOf(log: LineBatches) {
  return (line: string) => {
    const buffer = log.open()
    buffer.writeText(line, 'text')
    buffer.endLine()
    log.close()
  }
}

for (const [way, open] of [
  ['a pipe', overPipe],
  ['memory', overMemory],
] as const) {
  test(`over ${way} a few lines come together after a moment, many at once`, async () => {
    const { log, add, text } = open()
    add('one')
    add('two')
    assert.is(text(), '')
    await until(() => text() !== '')
    assert.is(text(), 'one\ntwo\n')
    const lines = Array.from({ length: 9_000 }, (_, at) => `${at} ${'x'.repeat(100)}`)
    for (const line of lines) add(line)
    assert.ok(text().length > MAX_FRAME_BYTES)
    log.flush()
    assert.is(text(), `one\ntwo\n${lines.join('\n')}\n`)
  })

  test(`over ${way} a long line is cut`, () => {
    const { log, add, text } = open()
    add('y'.repeat(20_000))
    log.flush()
    assert.is(text().length, 8 * 1024 + 1)
  })

  test(`over ${way} the count of lost lines comes even if no line follows`, async () => {
    const { found, log, add, stop, goOn } = open()
    stop()
    for (let batch = 0; batch < SEGMENTS; batch++) {
      add('one')
      log.flush()
    }
    log.flushLast()
    assert.is(found.lost, 0)
    goOn()
    await until(() => found.lost > 0)
  })
}

test('frames have the count of their lines', () => {
  const { pipe, log, add } = overPipe()
  for (let line = 0; line < 3_000; line++) add('x'.repeat(100))
  log.flush()
  assert.ok(pipe.frames.length >= 2)
  for (const frame of pipe.frames) {
    const text = frame.toString('latin1', FRAME_HEAD_BYTES)
    assert.ok(frame.length <= MAX_FRAME_BYTES)
    assert.equal(readFrameHead(frame), { bytes: text.length, lines: text.split('\n').length - 1 })
  }
})

test('while the primary does not read the pipe, lines are dropped and counted', () => {
  const { found, log, add, text, stop, goOn } = overPipe()
  stop()
  for (let line = 0; line < 5; line++) add('lost')
  log.flush()
  add('lost too')
  log.flush()
  assert.equal([text(), found.lost], ['', 0])
  goOn()
  add('kept')
  log.flush()
  assert.equal([text(), found.lost], ['kept\n', 6])
})

test('later lines do not overwrite those that the kernel has not taken yet', () => {
  const { pipe, log, add, text } = overPipe()
  pipe.writableLength = 1
  for (const line of ['one', 'two', 'three']) {
    add(line)
    log.flush()
  }
  assert.is(text(), 'one\ntwo\nthree\n')
})

test('while the primary does not read the memory, lines are kept as long as there is room, then dropped and counted', () => {
  const { found, log, add, text, stop, goOn } = overMemory()
  stop()
  const kept = Array.from({ length: SEGMENTS - 1 }, (_, at) => `kept ${at}`)
  for (const line of [...kept, 'lost', 'lost too']) {
    add(line)
    log.flush()
  }
  assert.equal([text(), found.lost], ['', 0])
  goOn()
  add('later')
  log.flush()
  assert.equal([text(), found.lost], [`${kept.join('\n')}\nlater\n`, 2])
})

test('lines of a worker that was killed are in the memory', () => {
  const { memory, log, add } = overMemory()
  add('sent')
  log.flush()
  add('one')
  add('two')
  log.open().writeText('not whole', 'text')
  const left = memory.segments.filter(({ index }) => memory.endOf(index) > 0)
  assert.equal(
    left.map(({ index, bytes }) => [memory.sequenceOf(index), Buffer.from(bytes.subarray(0, memory.endOf(index))).toString()]),
    [[0, 'one\ntwo\n']],
  )
})

test.run()
