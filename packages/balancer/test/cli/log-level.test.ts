// What the log tells from: the option, then the balancer's own variable, and never the app's.

import { assert, suite } from '../../../../test/suite.ts'
import { logLevelOf } from '../../src/cli/log-level.ts'

const test = suite('log level')

for (const [asked, env, level] of [
  [undefined, {}, 'info'],
  ['warn', { SWITCHYARD_LOG_LEVEL: 'debug' }, 'warn'],
  [undefined, { SWITCHYARD_LOG_LEVEL: 'debug' }, 'debug'],
  [undefined, { SWITCHYARD_LOG_LEVEL: 'ERROR' }, 'error'],
  [undefined, { SWITCHYARD_LOG_LEVEL: '' }, 'info'],
  [undefined, { LOG_LEVEL: 'silent' }, 'info'],
  [undefined, { LOG_LEVEL: 'verbose' }, 'info'],
] as const)
  test(`${asked ?? 'no option'} and ${JSON.stringify(env)}: ${level}`, () => assert.equal(logLevelOf(asked, env), { level }))

test('a level that does not exist is warned of', () => {
  const { level, warning } = logLevelOf(undefined, { SWITCHYARD_LOG_LEVEL: 'verbose' })
  assert.is(level, 'info')
  assert.match(String(warning), "SWITCHYARD_LOG_LEVEL: expected one of trace, debug, info, warn, error, fatal, silent, got 'verbose'")
})

test.run()
