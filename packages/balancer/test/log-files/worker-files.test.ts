// The log files of the workers: which line goes where, and what the log of the balancer says.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { BalancerError } from '../../src/errors.ts'
import { WorkerFiles } from '../../src/log-files/worker-files.ts'
import type { LogSettings } from '../../src/settings.ts'
import { folderWith } from '../cli/started-command.ts'

const test = suite('worker files')

function filesOf(changes: Partial<LogSettings> = {}, first: readonly { pool: string; slot: number }[] = []) {
  const folder = join(folderWith({}), 'logs')
  const said: string[] = []
  const settings: LogSettings = {
    folder,
    file: '{pool}-{slot}.log',
    errorFile: undefined,
    format: 'text',
    timestamps: false,
    rotate: undefined,
    ...changes,
  }
  const say = (message: string): void => void said.push(message)
  const files = new WorkerFiles({ settings, name: 'shop', warn: say, inform: say }, first)
  return { folder: settings.folder, files, said, read: (name: string) => readFileSync(join(settings.folder, name), 'utf8') }
}

const from = (pool: string, slot: number, line: string, stream: 'stdout' | 'stderr' = 'stdout') => ({ pool, slot, stream, line })

test('a file for each worker, which needs no prefix', async () => {
  const { files, read, folder } = filesOf()
  for (const line of [from('web', 0, 'one'), from('web', 1, 'two'), from('web', 0, 'oh', 'stderr')]) files.write(line)
  await files.close()
  assert.equal(readdirSync(folder).sort(), ['web-0.log', 'web-1.log'])
  assert.equal([read('web-0.log'), read('web-1.log')], ['one\noh\n', 'two\n'])
  assert.equal(files.status, { written: 3, dropped: 0, failure: null })
})

test('one file for all, where each line names its worker, and one for stderr', async () => {
  const { files, read } = filesOf({ file: 'all.log', errorFile: '{name}-error.log' })
  for (const line of [from('web', 0, 'one'), from('jobs', 1, 'two'), from('web', 0, 'oh', 'stderr')]) files.write(line)
  await files.close()
  assert.is(read('all.log'), 'web/0 | one\njobs/1 | two\n')
  assert.is(read('shop-error.log'), 'web/0 | oh\n')
})

test('times, and JSON as in the log of the balancer', async () => {
  const text = filesOf({ timestamps: true })
  text.files.write(from('web', 0, 'one'))
  await text.files.close()
  assert.match(text.read('web-0.log'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z one\n$/)
  const json = filesOf({ format: 'json' })
  json.files.write(from('web', 0, 'say "hi"\x1b[31m', 'stderr'))
  await json.files.close()
  const { time, ...rest } = JSON.parse(json.read('web-0.log'))
  assert.type(time, 'number')
  assert.equal(rest, { level: 30, pool: 'web', slot: 0, stream: 'stderr', msg: 'say "hi"\x1b[31m' })
})

test('a folder that can not be used is an error of the start', () => {
  const folder = join(folderWith({ taken: '' }), 'taken')
  try {
    filesOf({ folder }, [{ pool: 'web', slot: 0 }])
    assert.unreachable()
  } catch (error) {
    assert.ok(error instanceof BalancerError && error.code === 'ERR_LOG_FILE', String(error))
    assert.match(error.message, /web-0\.log: .*'logs\.folder'/)
  }
})

test('many files that fail at once are one warning, and one line when all of them work', async () => {
  const { files, said, folder } = filesOf()
  mkdirSync(join(folder, '..'), { recursive: true })
  writeFileSync(folder, 'in the way')
  for (let slot = 0; slot < 4; slot++) files.write(from('web', slot, 'kept'))
  await until(() => files.status.failure !== null, 5_000, 'the failure')
  assert.is(said.length, 1)
  assert.match(said[0] as string, /web-0\.log can't be written: .*requests are served on/)
  rmSync(folder)
  files.reopen()
  await files.flush()
  assert.equal(said.slice(1), ['the log files are written again'])
  assert.equal(files.status, { written: 4, dropped: 0, failure: null })
  await files.close()
})

test('more workers than may have open files: the oldest are closed, and opened again', async () => {
  const { files, folder, read } = filesOf()
  for (let round = 0; round < 2; round++) for (let slot = 0; slot < 600; slot++) files.write(from('web', slot, `round ${round}`))
  await files.close()
  assert.is(readdirSync(folder).length, 600)
  assert.ok(existsSync(join(folder, 'web-599.log')))
  assert.is(read('web-0.log'), 'round 0\nround 1\n')
  assert.equal(files.status, { written: 1_200, dropped: 0, failure: null })
})

test.run()
