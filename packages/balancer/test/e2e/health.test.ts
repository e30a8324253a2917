// Health checks on the listeners of the app.

import { assert, suite } from '../../../../test/suite.ts'
import { RawClient } from './support/raw-client.ts'
import { startBalancer } from './support/running-balancer.ts'

const test = suite('health', { timeoutMs: 30_000 })

test('the primary answers health checks itself, until it is about to stop', async () => {
  const balancer = await startBalancer({
    config: { app: 'failing-app.mjs', pools: { web: { workers: 1 } }, health: { path: '/healthz' }, shutdownDelayMs: 60_000 },
  })
  const ask = async (method: string, path: string) => {
    const client = await new RawClient(balancer.port).connected()
    client.write(`${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
    const { status, body, headers } = await client.answer(5_000, method)
    client.destroy()
    return [status, body.toString(), headers.get('connection')?.[0]]
  }
  const begun = async () => (await balancer.status()).pools[0]?.workers[0]?.begun
  assert.equal(await ask('GET', '/healthz'), [200, 'ok\n', 'close'])
  assert.equal(await ask('GET', '/healthz?verbose'), [200, 'ok\n', 'close'])
  assert.equal(await ask('HEAD', '/healthz'), [200, '', 'close'])
  assert.is(await begun(), 0, 'no worker had them')
  // Behind another request the worker answers, and the app does not see it.
  const kept = await new RawClient(balancer.port).connected()
  const askKept = (path: string) => kept.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).answer()
  await askKept('/')
  const { status, body, headers } = await askKept('/healthz')
  assert.equal([status, body.toString(), headers.get('connection')?.[0]], [200, 'ok\n', 'close'])
  kept.destroy()
  const [other] = await ask('GET', '/healthz/more')
  assert.is(other, 200, 'the app answers')
  // Over the portable channel the worker reports them within a second.
  await balancer.untilStatus(({ pools }) => pools[0]?.workers[0]?.begun === 2, 'the requests of the app')
  assert.is((await balancer.status()).connections.answered, 3)

  balancer.child.process.kill('SIGTERM')
  await balancer.untilLine(({ msg }) => msg.includes('not ready any more'), 'the delay')
  assert.equal(await ask('GET', '/healthz'), [503, 'not ready\n', 'close'])
  assert.is((await ask('GET', '/'))[0], 200)
  balancer.child.process.kill('SIGTERM')
  await balancer.ended()
})

test.run()
