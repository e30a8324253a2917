// Lines of the access log in shared memory: in the order in which a worker shares them, from workers that are killed, and from workers that lie.

import { PassThrough } from 'node:stream'
import { ACCESS_MEMORY_BYTES, AccessMemory, SEGMENT_BYTES, SEGMENTS } from '@switchyard/worker-runtime'
import { assert, suite } from '../../../../../test/suite.ts'
import { until } from '../../../../../test/support/until.ts'
import { AccessSegments } from '../../../src/supervisor/workers/access-segments.ts'

const test = suite('access segments')

function open({ holds = false } = {}) {
  const bytes = new ArrayBuffer(ACCESS_MEMORY_BYTES)
  const memory = new AccessMemory(bytes)
  const pipe = new PassThrough()
  const found = { texts: [] as string[], lines: [] as number[], broken: 0, free: [] as (() => void)[] }
  const segments = new AccessSegments(
    bytes,
    ({ chunks, bytes: length, lines, hold }) => {
      const text = Buffer.concat(chunks).toString()
      assert.is(text.length, length)
      found.texts.push(text)
      found.lines.push(lines)
      if (holds) found.free.push(hold?.() as () => void)
    },
    () => found.broken++,
  )
  segments.follow(pipe)
  /** As a worker does. Returns whether the segment is its own again. */
  const fill = (index: number, text: string) => {
    const { bytes: target, end } = memory.segments[index] as AccessMemory['segments'][number]
    target.set(Buffer.from(text))
    end.words[end.index] = text.length
  }
  const give = (index: number, text: string, sequence: number, lines = text.split('\n').length - 1) => {
    fill(index, text)
    memory.give(index, lines, sequence)
  }
  const isFree = (index: number) => memory.sequenceOf(index) === 0
  return { memory, pipe, found, segments, fill, give, isFree }
}

test('one byte brings all segments, in the order of their sequence, which may start over', async () => {
  const { pipe, found, give, isFree } = open()
  give(3, 'two\n', 0x7fffffff)
  give(1, 'one\none more\n', 0x7ffffffe)
  give(0, 'three\n', -0x80000000)
  pipe.write('x')
  await until(() => found.texts.length === 3)
  assert.equal(
    [found.texts, found.lines],
    [
      ['one\none more\n', 'two\n', 'three\n'],
      [2, 1, 1],
    ],
  )
  assert.equal([0, 1, 3].map(isFree), [true, true, true])
})

test('a segment that is held is read once, and is free when it is given back', async () => {
  const { pipe, found, segments, give, isFree } = open({ holds: true })
  give(0, 'one\n', 1)
  pipe.write('x')
  await until(() => found.texts.length === 1)
  give(1, 'two\n', 2)
  pipe.write('x')
  await until(() => found.texts.length === 2)
  assert.equal([isFree(0), isFree(1)], [false, false])
  for (const free of found.free.splice(0)) free()
  assert.equal([isFree(0), isFree(1)], [true, true])
  give(0, 'three\n', 3)
  segments.end()
  assert.equal([found.texts, found.broken], [['one\n', 'two\n', 'three\n'], 0])
})

test('when the worker is gone, segments that it did not announce and the whole lines of one in part count, once', () => {
  const { found, segments, fill, give } = open()
  give(2, 'one\n', 7)
  fill(0, 'two\nthree\n')
  segments.end()
  segments.end()
  assert.equal([found.texts, found.lines, found.broken], [['one\n', 'two\nthree\n'], [1, 2], 0])
})

type Give = ReturnType<typeof open>['give']
const lies: readonly [what: string, lie: (give: Give, memory: AccessMemory) => void][] = [
  ['more lines than bytes', (give) => give(1, 'x\n', 2, 3)],
  ['no lines', (give) => give(1, 'x\n', 2, 0)],
  ['fewer lines than none', (give) => give(1, 'x\n', 2, -1)],
  ['an empty segment', (give) => give(1, '', 2, 1)],
  ['a line without its end', (give) => give(1, 'x', 2, 1)],
  [
    'more bytes than there are',
    (give, { segments }) => {
      give(1, 'x\n', 2)
      const { words, index } = (segments[1] as (typeof segments)[number]).end
      words[index] = SEGMENT_BYTES + 1
    },
  ],
  [
    'fewer bytes than none',
    (give, { segments }) => {
      give(1, 'x\n', 2)
      const { words, index } = (segments[1] as (typeof segments)[number]).end
      words[index] = -2
    },
  ],
]
for (const [what, lie] of lies)
  test(`after ${what} nothing more is read`, async () => {
    const { memory, pipe, found, segments, give } = open()
    give(0, 'one\n', 1)
    lie(give, memory)
    give(SEGMENTS - 1, 'three\n', 3)
    pipe.write('x')
    await until(() => found.broken === 1)
    segments.end()
    assert.equal([found.texts, found.broken], [['one\n'], 1])
  })

test.run()
