// What an idle connection costs that rests in the primary: memory of its heap, and nothing of its time.

import { assert, suite } from '../../../test/suite.ts'
import { until } from '../../../test/support/until.ts'
import { get, RawClient } from '../test/e2e/support/raw-client.ts'
import { type RunningBalancer, startBalancer } from '../test/e2e/support/running-balancer.ts'

const CONNECTIONS = 10_000
const AT_ONCE = 100
const SAMPLES = 40
const MOST_BYTES = 1024
const test = suite('resting', { timeoutMs: 300_000 })

/** The least of several looks: garbage comes and goes. */
async function heapBytes(balancer: RunningBalancer): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let sample = 0; sample < SAMPLES; sample++) {
    const text = await balancer.metrics()
    const bytes = ['nodejs_heap_size_used_bytes', 'nodejs_external_memory_bytes'].map((name) =>
      Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1]),
    )
    least = Math.min(
      least,
      bytes.reduce((sum, one) => sum + one),
    )
  }
  return least
}

test(`${CONNECTIONS} resting connections cost the primary less than ${MOST_BYTES} bytes each`, async () => {
  const balancer = await startBalancer({
    config: { app: 'expect-app.mjs', pools: { web: { workers: 2, rest: 'always' } }, maxResting: CONNECTIONS },
  })
  await balancer.untilAllReady()
  const before = await heapBytes(balancer)
  const clients: RawClient[] = []
  for (let at = 0; at < CONNECTIONS; at += AT_ONCE) {
    const some = Array.from({ length: AT_ONCE }, () => new RawClient(balancer.port).write(get('/', { Connection: 'keep-alive' })))
    for (const client of some) assert.is((await client.answer()).status, 200)
    clients.push(...some)
  }
  await balancer.untilStatus(({ connections }) => connections.waiting.resting === CONNECTIONS, 'all at rest')
  let each = 0
  await until(
    async () => {
      each = ((await heapBytes(balancer)) - before) / CONNECTIONS
      return each < MOST_BYTES
    },
    60_000,
    `less than ${MOST_BYTES} bytes each`,
  ).finally(() => console.log(`${Math.round(each)} bytes of heap for each of ${CONNECTIONS}`))
  for (const client of clients) client.destroy()
  await balancer.untilStatus(({ connections }) => connections.waiting.resting === 0, 'nobody at rest')
  assert.is(await balancer.stop(), 0)
})

test.run()
