// Reports of workers reach the status and metrics pages, over both channels.

import { hasNative } from '@switchyard/handoff'
import { assert, suite } from '../../../../test/suite.ts'
import { exhaustDescriptors } from '../../../../test/support/descriptors.ts'
import { until } from '../../../../test/support/until.ts'
import { get, RawClient, thinkTime } from './support/raw-client.ts'
import { startBalancer } from './support/running-balancer.ts'

/** Several reports are due in this time. */
const SHORTAGE_MS = 500
const test = suite('reports', { timeoutMs: 30_000 })

for (const channel of hasNative() ? ['native', 'portable'] : ['portable']) {
  test(`${channel}: requests, failures, response times, heap and delays are reported`, async () => {
    const balancer = await startBalancer({
      config: { app: 'failing-app.mjs', pools: { web: { workers: 1 } } },
      env: { SWITCHYARD_CHANNEL: channel },
    })
    // One request in eight is timed.
    for (const path of ['/slow/30', '/status/500', '/status/503', '/break', '/status/404', '/', '/', '/', '/']) {
      const client = await new RawClient(balancer.port).connected()
      client.write(get(path))
      if (path === '/break') await client.over()
      else await client.answer()
      client.socket.destroy()
    }
    const text = await until(async () => {
      const metrics = await balancer.metrics()
      return /^switchyard_worker_response_seconds_count\{pool="web",slot="0"\} 2$/m.test(metrics) ? metrics : undefined
    })
    const metric = (name: string): number => Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'm').exec(text)?.[1])
    assert.is(metric('switchyard_worker_requests_total'), 9)
    assert.is(metric('switchyard_worker_failed_total'), 3)
    assert.ok(metric('switchyard_worker_response_seconds_sum') >= 0.029, text)
    const used = metric('switchyard_worker_heap_used_bytes')
    assert.ok(used > 1e6 && used < metric('switchyard_worker_heap_limit_bytes'), `${used}`)
    assert.match(text, /^switchyard_worker_loop_delay_seconds\{pool="web",slot="0",statistic="p99"\} \d/m)
    const [worker] = (await balancer.status()).pools[0]?.workers ?? []
    assert.equal([worker?.begun, worker?.failed], [9, 3])
    // A worker reads its memory use from /proc, which needs a descriptor.
    const end = exhaustDescriptors(worker?.pid ?? 0)
    const client = await new RawClient(balancer.port).connected()
    await thinkTime(SHORTAGE_MS)
    end()
    await client.write(get('/')).answer()
    client.destroy()
    assert.is((await balancer.status()).pools[0]?.workers[0]?.pid, worker?.pid)
    assert.match(text, /^switchyard_load_board_faults_total\{pool="web"\} 0$/m)
    assert.is(await balancer.stop(), 0)
  })
}

test('requests of a server that listens again are counted once', async () => {
  const balancer = await startBalancer({ config: { app: 'relistening-app.mjs', pools: { web: { workers: 1 } } } })
  const count = await until(async () => {
    const client = await new RawClient(balancer.port).connected()
    const { body } = await client
      .write(get('/'))
      .answer()
      .catch(() => ({ body: '' }))
    client.destroy()
    return /^\d+$/.test(String(body)) ? Number(body) : undefined
  })
  const worker = await until(async () => {
    const [worker] = (await balancer.status()).pools[0]?.workers ?? []
    return worker?.load.inFlight === 0 ? worker : undefined
  })
  assert.is(worker.begun, count)
  assert.is(await balancer.stop(), 0)
})

test.run()
