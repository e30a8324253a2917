// Every option of PM2 has a conversion or a remark, and a row in the docs.

import { readFileSync } from 'node:fs'
import { assert, suite } from '../../../../../test/suite.ts'
import { lifeCycleOptions } from '../../../src/config/pm2/life-cycle-options.ts'
import { logOptions } from '../../../src/config/pm2/log-options.ts'
import { pm2OptionNames, pm2Options, readOptions } from '../../../src/config/pm2/option-names.ts'
import { processOptions } from '../../../src/config/pm2/process-options.ts'
import { remarkedOptions } from '../../../src/config/pm2/remarks.ts'
import { DOCUMENTED_OPTIONS, SCHEMA_OPTIONS } from './schema-options.ts'

const test = suite('options of PM2')
const page = readFileSync(new URL('../../../../../docs/from-pm2.md', import.meta.url), 'utf8')

test('the conversion knows the options of the schema and of the documentation, and no others', () => {
  assert.equal([...pm2Options].sort(), [...SCHEMA_OPTIONS, ...DOCUMENTED_OPTIONS].sort())
})

test('each option is converted in one place, or has a remark', () => {
  assert.equal([...processOptions, ...lifeCycleOptions, ...logOptions, ...remarkedOptions].sort(), [...pm2Options].sort())
})

for (const option of [...SCHEMA_OPTIONS, ...DOCUMENTED_OPTIONS, 'env_production']) {
  test(`the docs have a row for ${option}`, () => assert.match(page, new RegExp(`^\\| \`${option}\` +\\|`, 'm')))
}

test('aliases and camel case are read, and the name of the option itself wins', () => {
  const names = (app: object) =>
    [...readOptions(app as Record<string, unknown>).options].map(([option, { name, value }]) => [option, name, value])
  assert.equal(names({ exec: 'a' }), [['script', 'exec', 'a']])
  assert.equal(names({ out: 'a', out_file: 'b', output: 'c' }), [['out_file', 'out_file', 'b']])
  assert.equal(
    names({ maxMemoryRestart: '1G', cron: 'x', err: 'y' }).map(([option]) => option),
    ['max_memory_restart', 'cron_restart', 'error_file'],
  )
  assert.equal(names({ kill_timeout: undefined, port: null }), [])
  assert.is(new Set(pm2OptionNames).size, pm2OptionNames.length)
})

test('environments and unknown names are kept apart', () => {
  const { environments, unknown } = readOptions({ env_production: {}, env_: {}, envy: 1, color: 'red', constructor: 1 })
  assert.equal(
    [[...environments.keys()], unknown],
    [
      ['production', ''],
      ['envy', 'color', 'constructor'],
    ],
  )
})

test.run()
