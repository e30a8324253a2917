// Frames of the access log, as they come over a pipe: cut anywhere, from workers that are killed, and from workers that lie.

import { PassThrough } from 'node:stream'
import { assert, suite } from '../../../../../test/suite.ts'
import { until } from '../../../../../test/support/until.ts'
import { readAccessLines } from '../../../src/supervisor/workers/access-pipe.ts'

const test = suite('access pipe')

function frameOf(text: string, lines = text.split('\n').length - 1, bytes = text.length): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32LE(bytes, 0)
  head.writeUInt32LE(lines, 4)
  return Buffer.concat([head, Buffer.from(text)])
}

async function read(chunks: readonly Buffer[]) {
  const pipe = new PassThrough()
  const found = { texts: [] as string[], lines: [] as number[], broken: 0 }
  readAccessLines(
    pipe,
    ({ chunks, bytes, lines }) => {
      const text = Buffer.concat(chunks).toString()
      assert.is(text.length, bytes)
      found.texts.push(text)
      found.lines.push(lines)
    },
    () => found.broken++,
  )
  let isOver = false
  pipe.once('end', () => {
    isOver = true
  })
  for (const chunk of chunks) pipe.write(chunk)
  pipe.end()
  await until(() => isOver)
  return found
}

test('frames in any pieces are the same', async () => {
  const bytes = Buffer.concat([frameOf('one\ntwo\n'), frameOf(`${'x'.repeat(300)}\n`), frameOf('three\n')])
  for (const size of [1, 2, 3, 7, 8, 9, 64, bytes.length]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size))
    assert.equal(await read(pieces), { texts: ['one\ntwo\n', `${'x'.repeat(300)}\n`, 'three\n'], lines: [2, 1, 1], broken: 0 }, `${size}`)
  }
})

test('the whole lines of a frame in part count when the worker is gone', async () => {
  assert.equal(await read([frameOf('one\n'), frameOf('two\nthree\nfou', 4, 500)]), {
    texts: ['one\n', 'two\nthree\n'],
    lines: [1, 2],
    broken: 0,
  })
  assert.equal(await read([frameOf('one\n'), frameOf('no end', 1, 500)]), { texts: ['one\n'], lines: [1], broken: 0 })
  assert.equal(await read([frameOf('one\n'), Buffer.from([1, 0, 0])]), { texts: ['one\n'], lines: [1], broken: 0 })
})

const lies: readonly [what: string, bytes: Buffer][] = [
  ['a frame that is too long', frameOf('x\n', 1, 0x7fffffff)],
  ['more lines than bytes', frameOf('x\n', 3)],
  ['no lines', frameOf('x\n', 0)],
  ['an empty frame', frameOf('', 0)],
  ['a line without its end', frameOf('x', 1)],
  ['plain text', Buffer.from('GET / HTTP/1.1\n\n')],
]
for (const [what, bytes] of lies)
  test(`after ${what} nothing more is read`, async () => {
    assert.equal(await read([frameOf('one\n'), bytes, frameOf('two\n')]), { texts: ['one\n'], lines: [1], broken: 1 })
  })

test.run()
