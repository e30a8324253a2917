// The log file of a balancer: where it is, who may read it, and that it stays small.

import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../../test/suite.ts'
import { until } from '../../../../../test/support/until.ts'
import { defaultLogFile, LogFile, openLogFile } from '../../../src/cli/detached/log-file.ts'
import { BalancerError } from '../../../src/errors.ts'
import { folderWith } from '../started-command.ts'

const test = suite('log file')
const flushed = (log: LogFile) => new Promise<void>((resolve) => log.flush(resolve))

test('the default is in the state folder, one for each folder or config', () => {
  const home = { HOME: '/home/ada' }
  assert.match(defaultLogFile({ folder: '/srv/shop' }, home), /^\/home\/ada\/\.local\/state\/switchyard\/shop-[0-9a-f]{10}\.log$/)
  assert.match(defaultLogFile({ folder: '/srv/shop' }, { ...home, XDG_STATE_HOME: '/state' }), /^\/state\/switchyard\/shop-/)
  assert.match(defaultLogFile({ folder: '/srv/shop' }, { ...home, XDG_STATE_HOME: 'relative' }), /^\/home\/ada\/\.local\/state\//)
  const [one, other] = ['/srv/shop', '/opt/shop'].map((folder) => defaultLogFile({ folder }, home))
  assert.is.not(one, other)
  assert.match(defaultLogFile({ folder: '/srv/shop', file: '/srv/shop/blue.config.ts' }, home), /\/blue\.config\.ts-/)
})

test('folder and file belong to the user alone, and a file that exists is appended to', async () => {
  const path = join(folderWith({}), 'state', 'switchyard', 'shop.log')
  for (const text of ['one\n', 'two\n']) {
    const log = new LogFile(path)
    log.write(text)
    await flushed(log)
    log.close()
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
    [join(folder, 'file', 'a.log'), /ENOTDIR/],
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

test('a large file becomes FILE.1, every line is in one of the two, and other open descriptors write to the new one', async () => {
  const path = join(folderWith({}), 'shop.log')
  const log = new LogFile(path, { maxBytes: 1_000 })
  const written: string[] = []
  const write = (): void => {
    const line = `line ${written.length} ${'x'.repeat(30)}\n`
    written.push(line)
    log.write(line)
  }
  for (let count = 0; count < 20; count++) write()
  await flushed(log)
  await log.rotateIfLarge()
  assert.not.ok(existsSync(`${path}.1`), 'small enough')
  for (let count = 0; count < 200; count++) write()
  await flushed(log)
  const rotated = log.rotateIfLarge()
  await rotated
  // As stdout of the process, which is the same open file.
  writeFileSync(path, 'a crash\n', { flag: 'a' })
  write()
  await flushed(log)
  assert.is(readFileSync(`${path}.1`, 'utf8'), written.slice(0, -1).join(''))
  assert.is(readFileSync(path, 'utf8'), `a crash\n${written.at(-1)}`)
  assert.is(statSync(`${path}.1`).mode & 0o777, 0o600)
  log.close()
})

test('the size is checked from time to time, and no more once another process does', async () => {
  const path = join(folderWith({}), 'shop.log')
  const log = new LogFile(path, { maxBytes: 10, checkEveryMs: 5 })
  log.write('more than ten bytes\n')
  await until(() => existsSync(`${path}.1`) && statSync(path).size === 0, 5_000, 'the rotation')
  log.stopRotating()
  await log.rotateIfLarge()
  log.write('again more than ten bytes\n')
  await flushed(log)
  assert.is(readFileSync(path, 'utf8'), 'again more than ten bytes\n')
  log.close()
})

test.run()
