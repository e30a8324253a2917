// Which channel is chosen, and what is said of it.

import { assert, suite } from '../../../test/suite.ts'
import { BalancerError } from '../src/errors.ts'
import { chooseTransport, portableNotice } from '../src/transport.ts'

const test = suite('transport')
const missing = new Error('no module here')

for (const [variable, isBuilt, kind] of [
  [undefined, true, 'native'],
  [undefined, false, 'portable'],
  ['', false, 'portable'],
  ['native', true, 'native'],
  ['portable', true, 'portable'],
  ['portable', false, 'portable'],
] as const) {
  test(`SWITCHYARD_CHANNEL ${variable ?? 'unset'}, native module ${isBuilt ? '' : 'not '}built: ${kind}`, () => {
    assert.is(chooseTransport({ SWITCHYARD_CHANNEL: variable }, () => (isBuilt ? undefined : missing)).kind, kind)
  })
}

for (const [variable, code, message] of [
  ['native', 'ERR_NO_NATIVE', /SWITCHYARD_CHANNEL=native: no module here\. .*doctor --build/],
  ['quick', 'ERR_CONFIG', /SWITCHYARD_CHANNEL: expected native or portable, got 'quick'/],
] as const) {
  test(`SWITCHYARD_CHANNEL=${variable} without the native module: ${code}`, () => {
    try {
      chooseTransport({ SWITCHYARD_CHANNEL: variable }, () => missing)
      assert.unreachable()
    } catch (error) {
      assert.instance(error, BalancerError)
      assert.is((error as BalancerError).code, code)
      assert.match((error as BalancerError).message, message)
    }
  })
}

test('the notice says why, and what is lost', () => {
  assert.match(portableNotice({ SWITCHYARD_CHANNEL: 'portable' }), /asks for it.*do not rest.*forwarded/)
  assert.match(portableNotice({}, missing), /\(no module here\): .*forwarded.*'balancer doctor --build' compiles/)
})

test.run()
