// A health probe of a real worker: the app answers it, and no count includes it.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { hasNative } from '@switchyard/handoff'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { probe } from '../../src/supervisor/workers/probe.ts'
import { exchange, get } from './support/raw-client.ts'
import { fixture, startBalancer } from './support/running-balancer.ts'

const test = suite('probe of a worker', { timeoutMs: 30_000 })
const settings = { status: [200, 299] as const, intervalMs: 1, timeoutMs: 20_000, headers: {} }

for (const channel of hasNative() ? ['native', 'portable'] : ['portable']) {
  test(`${channel}: the app answers a probe, which changes no count of requests or failures, no ticket and no time`, async () => {
    const balancer = await startBalancer({
      config: {
        app: 'failing-app.mjs',
        pools: { web: { workers: 1, execArgv: ['--require', fixture('tells-start.cjs')] } },
        policy: { sticky: { by: 'ticket' } },
      },
      env: { SWITCHYARD_CHANNEL: channel },
    })
    const { msg } = await balancer.untilLine(({ msg }) => msg.startsWith('start {'), 'the start message of the worker')
    const { privateSocket, forwardToken: token } = JSON.parse(msg.slice('start '.length))
    const socketPath = join(privateSocket, '..', 'serving.sock')
    const reasonOf = async (path: string, withToken = token) =>
      (await probe({ socketPath, token: withToken }, { ...settings, path }).result).reason
    assert.equal(
      [await reasonOf('/'), await reasonOf('/status/503'), await reasonOf('/slow/20')],
      [undefined, '/status/503: 503', undefined],
    )
    assert.is(await reasonOf('/break'), '/break: ECONNRESET')
    assert.is((await exchange(balancer.port, get('/status/500'))).status, 500)
    const status = await until(async () => {
      const now = await balancer.status()
      return now.pools[0]?.workers[0]?.failed === 1 ? now : undefined
    })
    const [after] = status.pools[0]?.workers ?? []
    assert.equal([after?.begun, after?.failed, after?.load.inFlight], [1, 1, 0])
    assert.is(await reasonOf('/', 'x'.repeat(token.length)), '/: 403', 'a request without the token is refused')
    assert.is(await balancer.stop(), 0)
    assert.equal(
      readdirSync(balancer.temporary).filter((name) => name.startsWith('switchyard-')),
      [],
    )
  })
}

test.run()
