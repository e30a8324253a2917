// What only the portable channel has: its notice, and the IPC channel shared with the app. Run the other files with SWITCHYARD_CHANNEL=portable
// for the rest.

import { hasNative } from '@switchyard/handoff'
import { assert, suite } from '../../../../test/suite.ts'
import { exchange, get, json } from './support/raw-client.ts'
import { startBalancer } from './support/running-balancer.ts'

const test = suite('portable channel', { timeoutMs: 30_000 })
const env = { SWITCHYARD_CHANNEL: 'portable' }

test('one log line says what the portable channel lacks; status and metrics name the channel', async () => {
  const balancer = await startBalancer({ config: { app: 'echo-app.mjs', pools: { web: { workers: 2 } } }, env })
  await balancer.untilAllReady()
  const said = balancer.lines.filter(({ msg }) => /portable channel/.test(msg))
  assert.equal(
    said.map(({ level }) => level),
    [40],
  )
  assert.match(said[0]?.msg ?? '', /do not rest.*forwarded/)
  assert.is((await balancer.status()).channel, 'portable')
  assert.match(await balancer.metrics(), /^switchyard_info\{channel="portable"\} 1$/m)
  assert.is(await balancer.stop(), 0)
})

test('the native channel logs nothing; requiring it where it is not built is an error', async () => {
  if (!hasNative()) {
    const refused = await startBalancer({ config: { app: 'echo-app.mjs' }, env: { SWITCHYARD_CHANNEL: 'native' }, wait: false })
    assert.is(await refused.ended(), 5)
    assert.match(refused.child.output(), /the native channel is not built/)
    return
  }
  const balancer = await startBalancer({
    config: { app: 'echo-app.mjs', pools: { web: { workers: 1 } } },
    env: { SWITCHYARD_CHANNEL: 'native' },
  })
  assert.equal(
    balancer.lines.filter(({ msg }) => /channel/.test(msg)),
    [],
  )
  assert.match(await balancer.metrics(), /^switchyard_info\{channel="native"\} 1$/m)
  assert.is(await balancer.stop(), 0)
})

test('the app may use its IPC channel: it gets no message of the balancer, and its messages delay nothing', async () => {
  const balancer = await startBalancer({ config: { app: 'ipc-app.mjs', pools: { web: { workers: 2 } } }, env })
  await balancer.untilAllReady()
  for (let turn = 0; turn < 40; turn++) assert.equal(json(await exchange(balancer.port, get(`/${turn}`))), [])
  assert.is(await balancer.stop(), 0)
})

test('an unknown value is a configuration error', async () => {
  const balancer = await startBalancer({
    config: { app: 'echo-app.mjs' },
    env: { SWITCHYARD_CHANNEL: 'quick' },
    wait: false,
  })
  assert.is(await balancer.ended(), 2)
  assert.match(balancer.child.output(), /SWITCHYARD_CHANNEL: expected native or portable, got 'quick'/)
})

test.run()
