// `logs` of a config: defaults, and faults with their paths.

import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { folderWith } from '../cli/started-command.ts'

const test = suite('log options')
const folder = folderWith({ 'app.js': '' })
const settingsOf = (logs: unknown) => resolveSettings({ app: './app.js', logs }, { folder, env: {} }).logs

test('defaults', () => {
  assert.is(settingsOf(undefined), undefined)
  assert.equal(settingsOf({}), {
    folder: join(folder, 'logs'),
    file: '{pool}-{slot}.log',
    errorFile: undefined,
    format: 'text',
    timestamps: true,
    rotate: { sizeBytes: 10 * 1024 ** 2, interval: undefined, keep: 10, compress: true },
  })
  assert.is(settingsOf({ rotate: false })?.rotate, undefined)
})

test('every option', () => {
  const rotate = { size: '1G', interval: '1h', keep: 0, compress: false }
  assert.equal(settingsOf({ folder: '/var/log/shop', file: '{name}.log', errorFile: 'e.log', format: 'json', timestamps: false, rotate }), {
    folder: '/var/log/shop',
    file: '{name}.log',
    errorFile: 'e.log',
    format: 'json',
    timestamps: false,
    rotate: { sizeBytes: 1024 ** 3, interval: { count: 1, unit: 'h' }, keep: 0, compress: false },
  })
})

for (const [logs, message] of [
  [true, /logs: expected an object, got true/],
  [{ folders: 'x' }, /logs\.folders: unknown option \(did you mean 'folder'\?\)/],
  [{ folder: '' }, /logs\.folder: expected a string/],
  [{ file: '{worker}.log' }, /logs\.file: '\{worker\}' is unknown: use \{name\}, \{pool\}, \{slot\}/],
  [{ file: '../{pool}.log' }, /logs\.file: expected a file name without '\/'.*'logs\.folder'/],
  [{ file: 'a.log', errorFile: 'a.log' }, /logs\.errorFile: is the same as 'logs\.file'/],
  [{ errorFile: 'a.gz' }, /logs\.errorFile: expected a name that does not end like a compressed file/],
  [{ format: 'xml' }, /logs\.format: expected 'text' or 'json', got 'xml'/],
  [{ rotate: true }, /logs\.rotate: expected an object or false, got true/],
  [{ rotate: { size: '1K' } }, /logs\.rotate\.size: expected bytes from 65536, or a size such as '512K' or '10M', got '1K'/],
  [
    { rotate: { interval: '7h' } },
    /logs\.rotate\.interval: expected a time such as '30m', '1h' or '1d'; minutes and hours must divide a day, got '7h'/,
  ],
  [{ rotate: { keep: -1 } }, /logs\.rotate\.keep: expected an integer from 0 to 10000, got -1/],
] as const) {
  test(`${JSON.stringify(logs)} is a fault`, () => assert.throws(() => settingsOf(logs), message))
}

test.run()
