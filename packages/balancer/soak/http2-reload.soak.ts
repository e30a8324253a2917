// One million requests over HTTP/2 while one reload follows the other: the long form of e2e/http2-reload.test.ts. Beside it h2load runs again and again. It opens
// no second connection after a GOAWAY, and calls requests begun that it never sends. So what counts is that each request which a worker got was answered.
// REQUESTS=50000 makes it shorter, and MINUTES=10 bounds it: fewer requests by then fail it. WHAT=secure: over TLS; own: an app's own server.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { assert, suite } from '../../../test/suite.ts'
import { until } from '../../../test/support/until.ts'
import { reloadUnderHttp2 } from '../test/e2e/support/http2-reload-run.ts'
import { startBalancer, temporaryFolder } from '../test/e2e/support/running-balancer.ts'
import { makeCertificate } from '../test/support/certificate-maker.ts'

const REQUESTS = Number(process.env.REQUESTS ?? 1_000_000)
const WORKERS = 2
const MINUTES = Number(process.env.MINUTES ?? 50)
const WHAT = process.env.WHAT ?? 'plain'
const H2LOAD = ['-n', '2000', '-c', '4', '-m', '20']
const COUNTS = /requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/
const SERVED = /^switchyard_requests_total\{.*\} (\d+)$/gm
const test = suite(`reloads under HTTP/2 (${WHAT})`, { timeoutMs: (MINUTES + 5) * 60_000 })

test(`${REQUESTS} requests while workers are replaced without a pause: none fails`, async () => {
  const tls = makeCertificate(temporaryFolder(), 'site', { names: ['localhost'] })
  const listen = { host: '127.0.0.1', port: 0, http2: true }
  const balancer = await startBalancer({
    config: {
      app: WHAT === 'own' ? 'http2-own-app.mjs' : 'http2-app.mjs',
      pools: { web: { workers: WORKERS, reload: { settleMs: 50, maxSurge: 1 } } },
      listen: WHAT === 'own' ? undefined : WHAT === 'secure' ? { ...listen, tls } : listen,
    },
    env: { OWN_PORT: '0' },
  })
  await balancer.untilAllReady()
  const url = `${WHAT === 'secure' ? 'https' : 'http'}://127.0.0.1:${balancer.port}`
  let isOver = false
  const bounds = { requests: REQUESTS, maxMs: MINUTES * 60_000 }
  const running = reloadUnderHttp2({ balancer, url, clients: 4, streams: 20, ...bounds, path: '/hello', progress: console.log })
  void running.finally(() => {
    isOver = true
  })
  const sums = { runs: 0, started: 0, succeeded: 0, notSent: 0 }
  while (!isOver) {
    const { stdout } = await promisify(execFile)('h2load', [...H2LOAD, `${url}/hello`])
    const [total, started, , succeeded] = (COUNTS.exec(stdout)?.slice(1).map(Number) ?? []) as number[]
    sums.runs++
    sums.started += started ?? 0
    sums.succeeded += succeeded ?? 0
    sums.notSent += (total ?? 0) - (started ?? 0)
    if (sums.runs % 50 === 0) console.log(`h2load: ${JSON.stringify(sums)}`)
  }
  const { faults, ...totals } = await running
  console.log(JSON.stringify({ ...totals, h2load: sums }))
  assert.equal(faults, [])
  assert.ok(totals.answered >= REQUESTS)
  if (WHAT !== 'secure') assert.is(totals.repeated, 0)
  const served = await until(async () => {
    let count = 0
    for (const [, value] of (await balancer.metrics()).matchAll(SERVED)) count += Number(value)
    return count >= totals.answered + sums.succeeded ? count : undefined
  })
  if (WHAT !== 'secure') assert.is(served, totals.answered + sums.succeeded)
  assert.is(await balancer.stop(), 0)
})

test.run()
