// Exactly one worker of a pool is the first.

import { assert, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { watchFirsts } from './support/first-run.ts'
import { startBalancer } from './support/running-balancer.ts'

const test = suite('the first worker', { timeoutMs: 120_000 })

test('one worker is the first, the status and the log name it, and a drain moves the place', async () => {
  const balancer = await startBalancer({
    config: { pools: { web: { app: 'first-app.mjs', workers: 2 } } },
    env: { FIRST_PORT: `${await freePort()}` },
  })
  const firsts = ({ pools }: Awaited<ReturnType<typeof balancer.status>>) =>
    pools.flatMap(({ workers }) => workers.filter(({ first }) => first).map(({ slot }) => slot))
  const [before] = firsts(await balancer.untilStatus((status) => firsts(status).length === 1, 'a first worker'))
  await balancer.untilLine(({ msg }) => msg.includes(`web/${before}: is the first worker of its pool`), 'the first in the log')
  const answers = new Set<string>()
  for (let request = 0; answers.size < 2 && request < 200; request++)
    answers.add(await (await fetch(`http://127.0.0.1:${balancer.port}/`, { headers: { connection: 'close' } })).text())
  assert.equal([...answers].sort(), ['false', 'true'])
  const [worker] = (await balancer.status()).pools.flatMap(({ workers }) => workers.filter(({ first }) => first))
  process.kill(worker?.pid ?? 0, 'SIGKILL')
  const after = await balancer.untilStatus((status) => firsts(status).length === 1 && firsts(status)[0] !== before, 'another first worker')
  assert.is(firsts(after).length, 1)
  assert.is(await balancer.stop(), 0)
})

test('8 kills, hangs, reloads, scales and upgrades: never two, and soon one again', async () => {
  const totals = await watchFirsts(8, 5)
  assert.equal(totals.faults, [])
  assert.ok(totals.changes > 1, JSON.stringify(totals))
})

test.run()
