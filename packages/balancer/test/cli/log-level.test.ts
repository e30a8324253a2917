// The level of the log: the option wins over SWITCHYARD_LOG_LEVEL, and LOG_LEVEL is ignored.

import { assert, suite } from '../../../../test/suite.ts'
import { logLevelOf } from '../../src/cli/log-level.ts'

const test = suite('log level')

for (const [option, env, level] of [
  [undefined, {}, 'info'],
  ['warn', { SWITCHYARD_LOG_LEVEL: 'debug' }, 'warn'],
  [undefined, { SWITCHYARD_LOG_LEVEL: 'debug' }, 'debug'],
  [undefined, { SWITCHYARD_LOG_LEVEL: 'ERROR' }, 'error'],
  [undefined, { SWITCHYARD_LOG_LEVEL: '' }, 'info'],
  [undefined, { LOG_LEVEL: 'silent' }, 'info'],
  [undefined, { LOG_LEVEL: 'verbose' }, 'info'],
] as const)
  test(`${option ?? 'no option'} and ${JSON.stringify(env)}: ${level}`, () => assert.equal(logLevelOf(option, env), { level }))

test('a level that does not exist is warned of', () => {
  const { level, warning } = logLevelOf(undefined, { SWITCHYARD_LOG_LEVEL: 'verbose' })
  assert.is(level, 'info')
  assert.match(String(warning), "SWITCHYARD_LOG_LEVEL: expected one of trace, debug, info, warn, error, fatal, silent, got 'verbose'")
})

test.run()
