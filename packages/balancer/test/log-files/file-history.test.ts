// Lines come back from log files in the order of their times, and each of them once.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { assert, suite } from '../../../../test/suite.ts'
import { FileHistory, type HistoryFiles, type HistoryQuery } from '../../src/log-files/file-history.ts'
import { gapText, lineText, type ReadLine, readLineText } from '../../src/log-files/line-text.ts'
import { folderWith } from '../cli/started-command.ts'

const test = suite('file history')
const T = Date.parse('2026-01-31T12:00:00.000Z')
const stamp = (ms: number) => new Date(T + ms).toISOString()
const NAMES = { file: '{pool}-{slot}.log', errorFile: null }

async function read(workers: Partial<HistoryFiles['workers']>, query: Partial<HistoryQuery> = {}, own: string | null = null) {
  const files = { own, workers: workers === null ? null : { name: 'shop', folder: '', ...NAMES, ...workers } }
  const all = { count: 50, sinceMs: undefined, pool: undefined, slot: undefined, matches: () => true, known: [], ...query }
  const history = new FileHistory(files, all)
  const lines: ReadLine[] = []
  for await (const line of history.lines()) lines.push(line)
  return { lines, msgs: lines.map(({ msg }) => msg), hasUntimed: history.hasUntimed }
}

/** Two workers; the first has a compressed file and a rotated one. */
function folderOfTwo(): string {
  const lines = (...numbers: number[]) => numbers.map((ms) => `${stamp(ms)} line ${ms}\n`).join('')
  const folder = folderWith({
    'web-0.log': lines(40, 50),
    'web-0.log.2026-01-31T12-00-00.035Z': lines(20, 30),
    'web-1.log': lines(5, 25, 45),
    'other.txt': lines(1),
  })
  writeFileSync(join(folder, 'web-0.log.2026-01-31T12-00-00.015Z.gz'), gzipSync(lines(0, 10)))
  return folder
}

test('the lines of all files by time, with pool and slot from the name', async () => {
  const { msgs, lines } = await read({ folder: folderOfTwo() })
  assert.equal(
    msgs,
    [0, 5, 10, 20, 25, 30, 40, 45, 50].map((ms) => `line ${ms}`),
  )
  assert.equal(lines[1], { time: T + 5, level: 30, stream: 'stdout', pool: 'web', slot: 1, msg: 'line 5' })
})

test('the last ones, those of a worker, of a time, with a word', async () => {
  const folder = folderOfTwo()
  assert.equal((await read({ folder }, { count: 3 })).msgs, ['line 40', 'line 45', 'line 50'])
  assert.equal((await read({ folder }, { count: 3, slot: 0 })).msgs, ['line 30', 'line 40', 'line 50'])
  assert.equal((await read({ folder }, { count: undefined, sinceMs: T + 30 })).msgs, ['line 30', 'line 40', 'line 45', 'line 50'])
  assert.equal((await read({ folder }, { matches: ({ msg }) => msg.endsWith('5') })).msgs, ['line 5', 'line 25', 'line 45'])
  assert.equal((await read({ folder }, { pool: 'jobs' })).msgs, [])
  assert.equal((await read({ folder: join(folder, 'missing') })).msgs, [])
})

test('lines that are known already are left out, also in the millisecond of the oldest', async () => {
  const folder = folderWith({ 'web-0.log': [1, 2, 2, 2, 3].map((ms, index) => `${stamp(ms)} line ${index}\n`).join('') })
  const known = [2, 3].map((ms) => ({ time: T + ms, level: 30, pool: 'web', slot: 0, stream: 'stderr' as const, msg: '' }))
  assert.equal((await read({ folder }, { known })).msgs, ['line 0', 'line 1', 'line 2'])
})

test('the log of the balancer, with its rotated file', async () => {
  const entry = (ms: number, more = {}) => `${JSON.stringify({ level: 30, time: T + ms, ...more, msg: `line ${ms}` })}\nno JSON\n`
  const folder = folderWith({
    'own.log.1': entry(1),
    'own.log': entry(3, { pool: 'web', slot: 0, stream: 'stdout' }),
    'all.log': `${stamp(2)} web/0 | line 2\n`,
  })
  const { msgs } = await read({ folder, file: 'all.log' }, {}, join(folder, 'own.log'))
  assert.equal(msgs, ['line 1', 'line 2', 'line 3'])
  assert.equal((await read({ folder, file: 'all.log' }, { pool: 'web' }, join(folder, 'own.log'))).msgs, ['line 2', 'line 3'])
  assert.equal((await read(null, {}, join(folder, 'own.log'))).msgs, ['line 1', 'line 3'])
})

test('lines without a time have no place, which is said', async () => {
  const { msgs, hasUntimed } = await read({ folder: folderWith({ 'web-0.log': 'one\n' }) })
  assert.equal([msgs, hasUntimed], [[], true])
})

test('what is written is read back', () => {
  const worker = { pool: 'web', slot: 3, stream: 'stderr' as const, line: 'say "hi" \u2028 jobs/1 | x' }
  for (const format of ['text', 'json'] as const) {
    for (const isNamed of [true, false]) {
      const options = { format, timestamps: true, isNamed }
      const origin = isNamed ? { pool: 'web', slot: 3, stream: 'stderr' as const } : { stream: 'stderr' as const }
      const text = lineText(options)(worker, T)
      assert.equal(
        { ...readLineText(text.slice(0, -1), origin) },
        { level: 30, time: T, pool: 'web', slot: 3, stream: 'stderr', msg: worker.line },
      )
      const gap = readLineText(gapText(options, () => T)(7).slice(0, -1), origin)
      assert.equal([gap.level, gap.time, gap.msg], [40, T, '7 lines were lost here, because the file could not be written'])
    }
  }
})

test.run()
