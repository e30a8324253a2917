// An app that forks itself with node:cluster runs unchanged: what docs/from-cluster.md promises.

import { assert, suite } from '../../../../test/suite.ts'
import { runCommand } from './support/commands.ts'
import { exchange, get, json } from './support/raw-client.ts'
import { startBalancer } from './support/running-balancer.ts'

const test = suite('forking apps', { timeoutMs: 60_000 })

for (const channel of ['native', 'portable']) {
  test(`${channel}: only its worker half runs, and the slot stays when the id of the worker changes`, async () => {
    const config = { app: 'forking-app.mjs', pools: { web: { workers: 1 } } }
    const balancer = await startBalancer({ config, env: { SWITCHYARD_CHANNEL: channel } })
    const told = async () => json<Record<string, unknown>>(await exchange(balancer.port, get('/')))
    const { id, ...first } = await told()
    const slot = { slot: 0, slotVariable: '0', pm2Variable: '0' }
    assert.equal(first, { isPrimary: false, isWorker: true, fork: 'undefined', workers: 'undefined', ...slot })
    assert.is((await balancer.untilAllReady()).pools[0]?.workers.length, 1)
    const { code, err } = await runCommand(balancer, ['reload'])
    assert.is(code, 0, err)
    const { id: next, ...second } = await told()
    assert.equal(second, first)
    assert.ok((next as number) > (id as number), `${id}, ${next}`)
    assert.is(await balancer.stop(), 0)
  })
}

test.run()
