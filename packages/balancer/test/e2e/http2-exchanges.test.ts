// The in-process connections that carry the streams of HTTP/2 to the app: how they end, seen by the app.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { Http2Client } from './support/http2-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('HTTP/2 exchanges', { timeoutMs: 40_000 })
/** More than a session keeps connections for its next streams. */
const AT_ONCE = 100
let balancer: RunningBalancer

test.before(async () => {
  balancer = await startBalancer({
    config: {
      app: 'finishing-app.mjs',
      pools: { web: { workers: 1 }, once: { workers: 1, env: { MAX: '1' } } },
      routes: [{ header: { 'x-pool': 'once' }, pool: 'once' }],
      listen: { host: '127.0.0.1', port: 0, http2: true },
    },
  })
  await balancer.untilAllReady()
})

for (const pool of ['web', 'once']) {
  test(`pool ${pool}: every response is answered, and finished for the app, however many come at once`, async () => {
    const client = new Http2Client(`http://127.0.0.1:${balancer.port}`)
    const fields = { 'x-pool': pool }
    for (const path of ['/now', '/later', '/now']) {
      const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => client.get(path, fields)))
      assert.equal([...new Set(answers.map(({ status, body }) => `${status} ${body}`))], ['200 hello'])
    }
    const ends = await until(async () => {
      const found = await client.json<{ finished: number; aborted: number }>('/ends', fields)
      return found.finished + found.aborted >= 3 * AT_ONCE ? found : undefined
    })
    assert.equal(ends, { finished: 3 * AT_ONCE, aborted: 0 })
    client.close()
  })
}

test.run()
