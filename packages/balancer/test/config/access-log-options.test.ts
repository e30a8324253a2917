// `accessLog` of a config: defaults, and faults with their paths.

import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { reloadFaults } from '../../src/config/reload-faults.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { folderWith } from '../cli/started-command.ts'

const test = suite('access log options')
const folder = folderWith({ 'app.js': '' })
const resolved = (config: object) =>
  resolveSettings({ app: './app.js', listen: 3000, ...config }, { folder, env: { SWITCHYARD_SECRET: 'x'.repeat(32) } })
const settingsOf = (accessLog: unknown, logs?: unknown) => resolved({ accessLog, logs }).accessLog

test('defaults', () => {
  assert.is(settingsOf(undefined), undefined)
  const rotate = { sizeBytes: 10 * 1024 ** 2, interval: undefined, keep: 10, compress: true }
  assert.equal(settingsOf({}), { folder: join(folder, 'logs'), rotate, file: 'access.log', format: 'combined', sample: 1 })
})

test('folder and rotation are those of the log files', () => {
  const found = settingsOf({ format: '{status} {url}', sample: 0.1, file: '{pool}-access.log' }, { folder: '/var/log/shop', rotate: false })
  assert.equal(found, { folder: '/var/log/shop', rotate: undefined, file: '{pool}-access.log', format: '{status} {url}', sample: 0.1 })
})

test('a reload may change the format and the sample, not the file', () => {
  const now = resolved({ accessLog: {} })
  assert.is(reloadFaults(now, resolved({ accessLog: { format: 'json', sample: 0.5 } })), undefined)
  assert.match(reloadFaults(now, resolved({ accessLog: { file: 'b.log' } }))?.message ?? '', /accessLog: can't change in a reload/)
  assert.match(reloadFaults(now, resolved({}))?.message ?? '', /accessLog: can't change in a reload \(it is in .*logs, and would be off\)/)
})

for (const [accessLog, message, logs] of [
  [true, /accessLog: expected an object, got true/],
  [{ path: 'x' }, /accessLog\.path: unknown option/],
  [{ sample: 0 }, /accessLog\.sample: expected a share above 0, at most 1, got 0/],
  [{ sample: 2 }, /accessLog\.sample: expected a share/],
  [{ format: '' }, /accessLog\.format: expected 'combined', 'json' or a template/],
  [{ format: 'common' }, /accessLog\.format: expected 'combined', 'json' or a template with fields such as '\{status\}', got 'common'/],
  [{ format: '{stats}' }, /accessLog\.format: the field '\{stats\}' is unknown \(did you mean 'status'\?\); the fields are address, agent/],
  [{ format: '{url}\n' }, /accessLog\.format: a template is one line/],
  [{ file: '../x' }, /accessLog\.file: expected a file name without '\/'/],
  [{ file: '{worker}.log' }, /accessLog\.file: '\{worker\}' is unknown/],
  [{ file: 'a.log' }, /accessLog\.file: 'a\.log' may be the name of a file of 'logs' too \('a\.log'\)/, { file: 'a.log' }],
  [{}, /accessLog\.file: 'access\.log' may be .* \('\{pool\}\.log'\): choose another, such as 'access_log'/, { file: '{pool}.log' }],
] as const)
  test(`fault: ${JSON.stringify(accessLog)}${logs === undefined ? '' : ` with ${JSON.stringify(logs)}`}`, () =>
    assert.throws(() => settingsOf(accessLog, logs), message))

test.run()
