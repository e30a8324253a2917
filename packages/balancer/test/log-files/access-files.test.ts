// The files of the access log: which lines go where, and that every line is written or counted.

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LineBlock } from '@switchyard/worker-runtime'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { AccessFiles } from '../../src/log-files/access-files.ts'
import type { AccessLogSettings } from '../../src/settings.ts'
import { folderWith } from '../cli/started-command.ts'

const test = suite('access files')

function filesOf(changes: Partial<AccessLogSettings> = {}, first: readonly { pool: string; slot: number }[] = []) {
  const folder = join(folderWith({}), 'logs')
  const said: string[] = []
  const say = (message: string): void => void said.push(message)
  const settings: AccessLogSettings = { folder, rotate: undefined, file: 'access.log', format: 'combined', sample: 1, ...changes }
  const files = new AccessFiles({ settings, name: 'shop', warn: say, inform: say }, first)
  return { folder, files, said, read: (name: string) => readFileSync(join(folder, name), 'utf8') }
}

const blockOf = (text: string): LineBlock => ({ chunks: [Buffer.from(text)], bytes: text.length, lines: text.split('\n').length - 1 })
const from = (pool: string, slot: number, text: string, lost = 0) => ({ pool, slot, block: text === '' ? undefined : blockOf(text), lost })

test('one file for all workers, or one for each pool; every line counts', async () => {
  const all = filesOf({}, [{ pool: 'web', slot: 0 }])
  assert.equal(readdirSync(all.folder), ['access.log'])
  all.files.write(from('web', 0, 'one\ntwo\n'))
  all.files.write(from('web', 1, 'three\n'))
  await all.files.close()
  assert.is(all.read('access.log'), 'one\ntwo\nthree\n')
  assert.equal(all.files.status, { written: 3, dropped: 0, failure: null })
  const each = filesOf({ file: '{name}-{pool}.log' })
  each.files.write(from('web', 0, 'one\n'))
  each.files.write(from('heavy', 0, 'two\n'))
  await each.files.close()
  assert.equal([each.read('shop-web.log'), each.read('shop-heavy.log')], ['one\n', 'two\n'])
})

test('lines that a worker could not send are counted, and one warning says what to do', async () => {
  const { files, said } = filesOf()
  files.write(from('web', 0, '', 3))
  files.write(from('web', 1, 'kept\n', 4))
  await files.close()
  assert.equal(files.status, { written: 1, dropped: 7, failure: null })
  assert.is(said.length, 1)
  assert.match(said[0] as string, /lines of the access log are lost.*accessLog\.sample/)
})

test('a folder that is gone for a while: lines are kept, and written when it is back', async () => {
  const { files, folder, said, read } = filesOf()
  files.write(from('web', 0, 'one\n'))
  await until(() => files.status.written === 1)
  rmSync(folder, { recursive: true })
  writeFileSync(folder, 'in the way')
  files.reopen()
  files.write(from('web', 0, 'two\nthree\n'))
  await until(() => files.status.failure !== null)
  assert.match(said[0] as string, /the access log .*access\.log can't be written: ENOTDIR.*requests are served on/)
  rmSync(folder)
  files.reopen()
  await until(() => files.status.failure === null)
  await files.close()
  assert.match(read('access.log'), /two\nthree\n$/)
  assert.is(files.status.dropped, 0)
})

test('files are rotated between lines', async () => {
  const { files, folder } = filesOf({ rotate: { sizeBytes: 64 * 1024, interval: undefined, keep: 100, compress: false } })
  const line = `${'x'.repeat(99)}\n`
  for (let batch = 0; batch < 40; batch++) {
    files.write(from('web', 0, line.repeat(100)))
    await until(() => files.status.written === (batch + 1) * 100)
  }
  await files.close()
  const names = readdirSync(folder)
  assert.ok(names.length > 2, names.join(' '))
  const lines = names.flatMap((name) => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n'))
  assert.equal([lines.length, lines.every((one) => one === line.trimEnd())], [4_000, true])
})

test.run()
