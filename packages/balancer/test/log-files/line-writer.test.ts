// Lines are written in order, or counted as lost.

import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { LineBudget, LineWriter, type LineWriterOptions } from '../../src/log-files/line-writer.ts'
import { folderWith } from '../cli/started-command.ts'

const test = suite('line writer')

/** A target that can be taken away. */
function target() {
  const path = join(folderWith({}), 'lines.log')
  const fd = openSync(path, 'a')
  const full = openSync('/dev/full', 'w')
  atSuiteEnd(() => [fd, full].forEach(closeSync))
  const state = { mode: 'works' as 'works' | 'full' | 'none', tries: 0 }
  return {
    state,
    text: () => readFileSync(path, 'utf8'),
    descriptor() {
      state.tries++
      if (state.mode === 'none') throw Object.assign(new Error('ENOENT: no folder'), { code: 'ENOENT' })
      return state.mode === 'full' ? full : fd
    },
  }
}

function writerOf(options: Partial<LineWriterOptions> = {}) {
  const to = target()
  const said: string[] = []
  const writer = new LineWriter({
    target: to,
    retryMs: 5,
    gapLine: (lost) => `(${lost} lost)\n`,
    onFailing: ({ message }) => said.push(message),
    onRecovered: () => said.push('recovered'),
    onLost: (lost) => said.push(`lost ${lost}`),
    ...options,
  })
  return { to, writer, said, flushed: () => new Promise<void>((resolve) => writer.flush(resolve)) }
}

const numbered = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, index) => `line ${from + index}\n`)

test('all lines, in order, in few writes', async () => {
  const { to, writer, flushed } = writerOf()
  const lines = numbered(0, 10_000)
  for (const line of lines) writer.write(line)
  await flushed()
  assert.is(to.text(), lines.join(''))
  assert.equal([to.state.tries, writer.written, writer.dropped], [1, 10_000, 0])
})

test('batches are bounded, and a longer line is a batch of its own', async () => {
  const { to, writer, flushed } = writerOf({ maxBatch: 100 })
  const lines = [...numbered(0, 50), `${'x'.repeat(500)}\n`, ...numbered(50, 100)]
  for (const line of lines) writer.write(line)
  await flushed()
  assert.is(to.text(), lines.join(''))
  assert.ok(to.state.tries > 8)
})

test('a full disk for a moment loses nothing, and is reported once', async () => {
  const { to, writer, said, flushed } = writerOf()
  to.state.mode = 'full'
  for (const line of numbered(0, 100)) writer.write(line)
  await until(() => to.state.tries > 3, 5_000, 'some tries')
  assert.is(writer.failure?.code, 'ENOSPC')
  to.state.mode = 'works'
  await flushed()
  assert.is(to.text(), numbered(0, 100).join(''))
  assert.equal([said.length, said[1], writer.dropped, writer.failure], [2, 'recovered', 0, undefined])
})

test('beyond the budget lines are lost; the count is exact and stands where they are missing', async () => {
  const { to, writer, said, flushed } = writerOf({ budget: new LineBudget(1_000) })
  to.state.mode = 'none'
  const lines = numbered(0, 1_000)
  for (const line of lines) writer.write(line)
  const { dropped } = writer
  assert.ok(dropped > 800)
  await until(() => to.state.tries > 1, 5_000, 'a try')
  to.state.mode = 'works'
  await flushed()
  writer.write('later\n')
  await flushed()
  assert.is(to.text(), `${lines.slice(0, 1_000 - dropped).join('')}(${dropped} lost)\nlater\n`)
  assert.equal([writer.written, writer.dropped], [1_001 - dropped, dropped])
  assert.equal(said, ['ENOENT: no folder', 'recovered', `lost ${dropped}`])
})

test('a gap at the end is written when the writer is closed', async () => {
  const { to, writer } = writerOf({ budget: new LineBudget(1_000) })
  for (const line of numbered(0, 1_000)) writer.write(line)
  const { dropped } = writer
  await writer.close(10_000)
  assert.ok(dropped > 800)
  assert.ok(to.text().endsWith(`\n(${dropped} lost)\n`))
})

test('writers share a budget, and give it back', async () => {
  const budget = new LineBudget(1_000)
  const [one, other] = [writerOf({ budget }), writerOf({ budget })]
  one.to.state.mode = 'none'
  for (const line of numbered(0, 1_000)) one.writer.write(line)
  other.writer.write('no room\n'.repeat(20))
  assert.is(other.writer.dropped, 1)
  one.to.state.mode = 'works'
  await one.flushed()
  assert.is(budget.used, 0)
  other.writer.write('room\n')
  await other.flushed()
  assert.is(other.to.text(), '(1 lost)\nroom\n')
})

test('closing writes what can be written, and counts the rest', async () => {
  const good = writerOf()
  good.writer.write('one\n')
  await good.writer.close(10_000)
  good.writer.write('too late\n')
  assert.is(good.to.text(), 'one\n')
  assert.is(good.writer.dropped, 1)

  const budget = new LineBudget(1_000_000)
  const bad = writerOf({ budget, retryMs: 600_000 })
  bad.to.state.mode = 'full'
  for (const line of numbered(0, 10)) bad.writer.write(line)
  await until(() => bad.writer.failure !== undefined, 5_000, 'the failure')
  for (const line of numbered(0, 10)) bad.writer.write(line)
  await bad.writer.close(10_000)
  assert.equal([bad.writer.dropped, bad.writer.written, budget.used, bad.writer.isIdle], [20, 0, 0, true])
})

test('a reader that is gone for good keeps no memory, and each line is tried once', async () => {
  const budget = new LineBudget(1_000_000)
  const { to, writer, flushed } = writerOf({ budget, isFinal: ({ code }) => code === 'ENOENT' })
  to.state.mode = 'none'
  for (const line of numbered(0, 10)) writer.write(line)
  await flushed()
  assert.equal([writer.dropped, budget.used, to.state.tries], [10, 0, 1])
  writer.write('line 10\n')
  await flushed()
  assert.equal([writer.dropped, budget.used, to.state.tries], [11, 0, 2])
})

test.run()
