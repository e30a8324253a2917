// A log file: who may read it, what happens when it is moved, removed or full, and how it is rotated.

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { BalancerError } from '../../src/errors.ts'
import { CopyingRotation } from '../../src/log-files/copying-rotation.ts'
import { LogFile, openLogFile } from '../../src/log-files/log-file.ts'
import { periodOf } from '../../src/log-files/periods.ts'
import { RenamingRotation, type RenamingRotationOptions } from '../../src/log-files/renaming-rotation.ts'
import { folderWith } from '../cli/started-command.ts'

const test = suite('log file')
const flushed = (log: LogFile) => new Promise<void>((resolve) => log.flush(resolve))
const put = async (log: LogFile, text: string) => {
  log.write(text)
  await flushed(log)
}

function rotationOf(options: Partial<RenamingRotationOptions> = {}): RenamingRotation {
  const rotation = new RenamingRotation({ maxBytes: 1_000, keep: 100, compress: false, settleMs: 0, ...options })
  atSuiteEnd(() => rotation.close())
  return rotation
}

/** All text of a log file and its rotated ones, oldest first. */
function textIn(folder: string): string {
  const names = readdirSync(folder).sort((a, b) => Number(a.endsWith('.log')) - Number(b.endsWith('.log')) || (a < b ? -1 : 1))
  return names
    .map((name) =>
      name.endsWith('.gz') ? gunzipSync(readFileSync(join(folder, name))).toString() : readFileSync(join(folder, name), 'utf8'),
    )
    .join('')
}

test('folder and file belong to the user alone, and a file that exists is appended to', async () => {
  const path = join(folderWith({}), 'state', 'switchyard', 'shop.log')
  for (const text of ['one\n', 'two\n']) {
    const log = new LogFile(path).open()
    log.write(text)
    await log.close()
    log.write('too late\n')
  }
  assert.is(readFileSync(path, 'utf8'), 'one\ntwo\n')
  assert.is(statSync(path).mode & 0o777, 0o600)
  assert.is(statSync(join(path, '..')).mode & 0o777, 0o700)
})

test('a path that is no file is an error that says what to do', () => {
  const folder = folderWith({ file: '' })
  mkdirSync(join(folder, 'logs'))
  for (const [path, reason] of [
    [join(folder, 'logs'), /EISDIR/],
    ['/dev/null', /not a regular file/],
    [join(folder, 'file', 'a.log'), /ENOTDIR|EEXIST/],
  ] as const) {
    try {
      openLogFile(path)
      assert.unreachable(path)
    } catch (error) {
      assert.ok(error instanceof BalancerError && error.code === 'ERR_LOG_FILE', String(error))
      assert.match(error.message, reason)
      assert.match(error.message, /Name another file with --log-file$/)
    }
  }
})

test('a line that a killed process has left in part does not join the next one', async () => {
  const path = join(folderWith({ 'a.log': 'whole\nhal' }), 'a.log')
  const log = new LogFile(path)
  await put(log, 'next\n')
  assert.is(readFileSync(path, 'utf8'), 'whole\nhal\nnext\n')
  await log.close()
})

test('after a move by another program new lines go to a new file', async () => {
  const path = join(folderWith({}), 'a.log')
  const log = new LogFile(path)
  await put(log, 'one\n')
  renameSync(path, `${path}.1`)
  log.reopen()
  await put(log, 'two\n')
  assert.equal([readFileSync(`${path}.1`, 'utf8'), readFileSync(path, 'utf8')], ['one\n', 'two\n'])
  renameSync(path, `${path}.2`)
  await until(
    async () => {
      await put(log, 'three\n')
      return existsSync(path)
    },
    5_000,
    'the new file, without a signal',
  )
  await log.close()
})

test('a folder that is removed is made again, and lines of the last second are in it', async () => {
  const folder = join(folderWith({}), 'logs')
  const log = new LogFile(join(folder, 'a.log'))
  await put(log, 'one\n')
  rmSync(folder, { recursive: true })
  await put(log, 'two\n')
  log.reopen()
  await put(log, 'three\n')
  assert.is(readFileSync(join(folder, 'a.log'), 'utf8'), 'one\ntwo\nthree\n')
  await log.close()
})

test('while the folder can not be made lines are kept, and written when it can', async () => {
  const folder = join(folderWith({}), 'logs')
  const said: string[] = []
  const log = new LogFile(join(folder, 'a.log'), { retryMs: 5, onFailing: () => said.push('fails'), onRecovered: () => said.push('works') })
  await put(log, 'one\n')
  rmSync(folder, { recursive: true })
  writeFileSync(folder, 'in the way')
  log.reopen()
  log.write('two\n')
  await until(() => said.length > 0, 5_000, 'the failure')
  rmSync(folder)
  await flushed(log)
  assert.equal(said, ['fails', 'works'])
  assert.is(readFileSync(join(folder, 'a.log'), 'utf8'), 'one\ntwo\n')
  await log.close()
})

test('a large file is rotated under a name with the time; no line is lost or cut, and the oldest are removed', async () => {
  const folder = folderWith({})
  const log = new LogFile(join(folder, 'a.log'), { rotation: rotationOf({ keep: 3 }), maxBatch: 100 })
  const lines = Array.from({ length: 500 }, (_, index) => `line ${index} ${'x'.repeat(20)}\n`)
  for (const line of lines) log.write(line)
  await flushed(log)
  await log.close()
  await until(() => readdirSync(folder).length <= 4, 5_000, 'the removal of old files')
  const names = readdirSync(folder).sort()
  assert.is(names.length, 4)
  assert.match(names[1] as string, /^a\.log\.\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z$/)
  assert.ok(lines.join('').endsWith(textIn(folder)))
  assert.ok(names.every((name) => statSync(join(folder, name)).size <= 1_150))
})

test('a compressed file is never made anew: another process was first, and has emptied or not yet removed the rotated one', async () => {
  const folder = folderWith({})
  for (const [minute, rest] of [
    [1, ''],
    [2, 'whole\n'],
  ] as const) {
    const rotated = join(folder, `a.log.2026-01-31T12-0${minute}-00.000Z`)
    writeFileSync(rotated, rest)
    writeFileSync(`${rotated}.gz`, gzipSync('whole\n'))
  }
  await put(new LogFile(join(folder, 'a.log'), { rotation: rotationOf({ compress: true }) }), 'new\n')
  await until(() => readdirSync(folder).length === 3, 5_000, 'the end of the rotated files')
  assert.is(textIn(folder), 'whole\nwhole\nnew\n')
})

test('rotated files are compressed, also those that an earlier process has left', async () => {
  const left = 'a.log.2026-01-31T12-00-00.000Z'
  const folder = folderWith({ [left]: 'left\n', [`${left}.gz.partial`]: 'dead', 'b.log': 'other\n' })
  utimesSync(join(folder, `${left}.gz.partial`), 0, 0)
  const log = new LogFile(join(folder, 'a.log'), { rotation: rotationOf({ compress: true }), maxBatch: 100 })
  const lines = Array.from({ length: 100 }, (_, index) => `line ${index} ${'x'.repeat(20)}\n`)
  for (const line of lines) log.write(line)
  await flushed(log)
  await log.close()
  await until(() => readdirSync(folder).every((name) => /\.(gz|log)$/.test(name)), 5_000, 'the compression')
  rmSync(join(folder, 'b.log'))
  assert.ok(readdirSync(folder).length >= 4)
  assert.is(textIn(folder), `left\n${lines.join('')}`)
})

test('two writers of one file, as in an upgrade: every line is there once and whole', async () => {
  const folder = folderWith({})
  // As long as a process may still write to a rotated file, it is not compressed.
  const rotations = [0, 1].map(() => rotationOf({ maxBytes: 20_000, compress: true, settleMs: undefined }))
  const logs = rotations.map((rotation) => new LogFile(join(folder, 'a.log'), { rotation, maxBatch: 2_000 }))
  const lines: string[] = []
  for (let round = 0; round < 30; round++) {
    for (let count = 0; count < 100; count++) {
      for (const [index, log] of logs.entries()) {
        const line = `${index} ${lines.length} ${'x'.repeat(30)}\n`
        lines.push(line)
        log.write(line)
      }
    }
    await Promise.all(logs.map(flushed))
  }
  await Promise.all(logs.map((log) => log.close()))
  await Promise.all(rotations.map((rotation) => rotation.close()))
  assert.is(textIn(folder).split('\n').sort().join('\n'), lines.join('').split('\n').sort().join('\n'))
  assert.ok(readdirSync(folder).length > 5)
})

test('a file has lines of one period only', async () => {
  const folder = folderWith({ 'a.log': 'yesterday\n' })
  const path = join(folder, 'a.log')
  const dayAgo = (Date.now() - 86_400_000) / 1000
  utimesSync(path, dayAgo, dayAgo)
  const log = new LogFile(path, { rotation: rotationOf({ maxBytes: 1e9, periodOf: periodOf({ count: 1, unit: 'd' }) }) })
  await put(log, 'today\n')
  await put(log, 'today too\n')
  await log.close()
  assert.is(readdirSync(folder).length, 2)
  assert.is(readFileSync(path, 'utf8'), 'today\ntoday too\n')
})

test('periods end at midnight and at full hours of the local time', () => {
  const day = periodOf({ count: 1, unit: 'd' })
  assert.is(day(new Date(2026, 0, 31, 0, 0).getTime()), day(new Date(2026, 0, 31, 23, 59).getTime()))
  assert.is(day(new Date(2026, 0, 31, 23, 59).getTime()) + 1, day(new Date(2026, 1, 1, 0, 0).getTime()))
  const quarter = periodOf({ count: 15, unit: 'm' })
  assert.is(quarter(new Date(2026, 0, 31, 12, 14).getTime()) + 1, quarter(new Date(2026, 0, 31, 12, 15).getTime()))
})

test('a file that can not be rotated grows on, and says so', async () => {
  const folder = folderWith({})
  const failed: string[] = []
  const rotation = { isDue: () => true, rotate: () => Promise.reject(new Error('EROFS')) }
  const log = new LogFile(join(folder, 'a.log'), { rotation, onNotRotated: ({ message }) => failed.push(message) })
  await put(log, 'one\n')
  await put(log, 'two\n')
  await put(log, 'three\n')
  await log.close()
  assert.equal(failed, ['EROFS'])
  assert.is(readFileSync(join(folder, 'a.log'), 'utf8'), 'one\ntwo\nthree\n')
})

test("a detached balancer's file becomes FILE.1, and its other open descriptors write to the new one", async () => {
  const path = join(folderWith({}), 'shop.log')
  const log = new LogFile(path, { rotation: new CopyingRotation(1_000) })
  const lines = Array.from({ length: 200 }, (_, index) => `line ${index} ${'x'.repeat(30)}\n`)
  for (const line of lines) log.write(line)
  await flushed(log)
  assert.not.ok(existsSync(`${path}.1`))
  await put(log, 'next\n')
  // As stdout of the process, which is the same open file.
  writeFileSync(path, 'a crash\n', { flag: 'a' })
  await put(log, 'last\n')
  assert.is(readFileSync(`${path}.1`, 'utf8'), lines.join(''))
  assert.is(readFileSync(path, 'utf8'), 'next\na crash\nlast\n')
  assert.is(statSync(`${path}.1`).mode & 0o777, 0o600)
  log.stopRotating()
  await put(log, 'x'.repeat(2_000).concat('\n'))
  await put(log, 'end\n')
  assert.ok(readFileSync(path, 'utf8').endsWith('x\nend\n'))
  await log.close()
})

test.run()
