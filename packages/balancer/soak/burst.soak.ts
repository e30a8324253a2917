// The long form of the burst in e2e/late-binding.test.ts: the queue of a heavy pool at its default size, and what light requests take meanwhile.

import { assert, suite } from '../../../test/suite.ts'
import { exchange, get } from '../test/e2e/support/raw-client.ts'
import { startBalancer } from '../test/e2e/support/running-balancer.ts'

const BURST = 5_000
const QUEUE = { limit: 1_000, timeoutMs: 5_000 }
const LIGHT_EVERY_MS = 5
const test = suite('burst', { timeoutMs: 120_000 })

test(`a burst of ${BURST} connections at a heavy route: served or 503, the counts add up, and light routes go on`, async () => {
  const balancer = await startBalancer({
    config: {
      app: 'expect-app.mjs',
      pools: { web: { workers: 1 }, heavy: { workers: 1, queue: QUEUE } },
      routes: [{ path: '/block', pool: 'heavy' }, { path: '/*' }],
      // All of them come from one.
      maxUnroutedPerAddress: BURST,
    },
  })
  await balancer.untilAllReady()
  const descriptors = balancer.descriptors
  let isOver = false
  const light = async () => {
    const took: number[] = []
    while (!isOver) {
      const begun = performance.now()
      assert.is((await exchange(balancer.port, get('/?expect=web'))).status, 200)
      took.push(performance.now() - begun)
      await new Promise((resolve) => setTimeout(resolve, LIGHT_EVERY_MS))
    }
    return took.sort((one, other) => one - other)
  }
  const before = light()
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  isOver = true
  const quiet = await before
  isOver = false
  const beside = light()
  const answers = await Promise.all(Array.from({ length: BURST }, () => exchange(balancer.port, get('/block?ms=20'))))
  isOver = true
  const busy = await beside
  const p99 = (took: number[]) => (took[Math.floor(took.length * 0.99)] as number).toFixed(1)
  const served = answers.filter(({ status }) => status === 200).length
  const refused = answers.filter(({ status }) => status === 503)
  const { connections } = await balancer.status()
  console.log(`${served} served, ${refused.length} refused: ${JSON.stringify(connections.refused)}`)
  console.log(`light p99 ${p99(quiet)} ms of ${quiet.length} before, ${p99(busy)} ms of ${busy.length} beside the burst`)
  assert.is(served + refused.length, BURST)
  assert.ok(refused.every(({ headers }) => Number(headers.get('retry-after')?.[0]) >= 1))
  assert.is(connections.refused['queue-full'] + connections.refused['queue-timeout'], refused.length)
  assert.is(connections.accepted, BURST + quiet.length + busy.length)
  assert.is(connections.handedOff, served + quiet.length + busy.length)
  await balancer.untilDescriptors(descriptors)
  assert.is(await balancer.stop(), 0)
})

test.run()
