// The check of the config: its faults and warnings, and a config that never ends.

import { assert, suite } from '../../../../test/suite.ts'
import { checkConfig } from '../../src/doctor/config-check.ts'
import { BalancerError } from '../../src/errors.ts'
import type { Settings } from '../../src/settings.ts'

const test = suite('config check')
const settings = {} as Settings
const file = '/srv/balancer.config.ts'

test('no config', async () => {
  const { check, settings } = await checkConfig({ file: undefined, read: () => assert.unreachable() as never })
  assert.equal([check.state, settings], ['ok', undefined])
})

test('a good config and one with warnings', async () => {
  assert.is((await checkConfig({ file, read: async () => ({ settings, warnings: [] }) })).check.state, 'ok')
  const { check, ...rest } = await checkConfig({ file, read: async () => ({ settings, warnings: ['one', 'two'] }) })
  assert.equal([check.state, check.found, rest.settings], ['warning', 'one\ntwo', settings])
})

test('a faulty config', async () => {
  const read = () => Promise.reject(new BalancerError('ERR_CONFIG', 'it has 2 faults', { source: 'config' }))
  const { check, ...rest } = await checkConfig({ file, read })
  assert.equal([check.state, check.found, rest.settings], ['fault', 'it has 2 faults', undefined])
  assert.match(check.advice ?? '', /balancer check/)
})

test('a config that waits for ever', async () => {
  const { check } = await checkConfig({ file, read: () => new Promise(() => {}) }, 20)
  assert.is(check.state, 'fault')
  assert.match(check.found, /was not read within 0\.02 s/)
})

test.run()
