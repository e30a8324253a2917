// Lines are sent in batches. A primary that does not read loses lines, which are counted, and no memory grows.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { LineBatches } from '../../src/access-log/line-batches.ts'

const test = suite('line batches')

function batches() {
  const sink = {
    written: [] as string[],
    lost: 0,
    unsent: 0,
    write: (lines: string) => void sink.written.push(lines),
    onLost(count: number) {
      sink.lost += count
    },
  }
  return { sink, batches: new LineBatches(sink) }
}

test('a few lines come together after a moment, many at once', async () => {
  const { sink, batches: log } = batches()
  log.add('one')
  log.add('two')
  assert.equal(sink.written, [])
  await until(() => sink.written.length > 0)
  assert.equal(sink.written, ['one\ntwo\n'])
  for (let line = 0; line < 3_000; line++) log.add('x'.repeat(100))
  assert.ok(sink.written.length >= 2)
  log.flush()
  assert.is(sink.written.join('').split('\n').length - 1, 3_002)
})

test('while the primary does not read, lines are dropped and counted', () => {
  const { sink, batches: log } = batches()
  sink.unsent = 2 * 1024 * 1024
  for (let line = 0; line < 5; line++) log.add('lost')
  log.flush()
  log.add('lost too')
  log.flush()
  assert.equal([sink.written, sink.lost], [[], 0])
  sink.unsent = 0
  log.add('kept')
  log.flush()
  assert.equal([sink.written, sink.lost], [['kept\n'], 6])
})

test('the count comes even if no line follows, and a long line is cut', async () => {
  const { sink, batches: log } = batches()
  sink.unsent = 2 * 1024 * 1024
  log.add('lost')
  log.flush()
  sink.unsent = 0
  await until(() => sink.lost === 1)
  log.add('y'.repeat(20_000))
  log.flush()
  assert.is(sink.written[0]?.length, 8 * 1024 + 1)
})

test.run()
