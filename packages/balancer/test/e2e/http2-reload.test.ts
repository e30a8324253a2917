// HTTP/2 under reloads: the end of a connection is announced, and what a client has begun is answered. The long form is in soak/.

import { setTimeout as pause } from 'node:timers/promises'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { makeCertificate } from '../support/certificate-maker.ts'
import { runCommand } from './support/commands.ts'
import { reloadUnderHttp2 } from './support/http2-reload-run.ts'
import { END_HEADERS, END_STREAM, frame, RawHttp2, request, types } from './support/raw-http2.ts'
import { portOf, type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('reloads under HTTP/2', { timeoutMs: 120_000 })
const REQUESTS = 600
const NOTICE = 2 ** 31 - 1
const LATE_MS = 1500
const local = { host: '127.0.0.1', port: 0 }
const balancers: RunningBalancer[] = []

test.before(async () => {
  const tls = makeCertificate(temporaryFolder(), 'site', { names: ['localhost'] })
  balancers.push(
    ...(await Promise.all([
      startBalancer({
        config: {
          app: 'http2-app.mjs',
          pools: { web: { workers: 1 } },
          listen: [
            { ...local, http2: true },
            { ...local, tls, http2: true },
          ],
        },
      }),
      startBalancer({ config: { app: 'http2-own-app.mjs', pools: { web: { workers: 1 } } } }),
    ])),
  )
})
test.after(async () => assert.equal(await Promise.all(balancers.map((one) => one.stop())), [0, 0]))

for (const [index, address, what] of [
  [0, 0, 'ended in a worker'],
  [0, 1, 'over TLS'],
  [1, 0, "an app's own server"],
] as const)
  test(`${REQUESTS} requests while reloads follow each other: ${what}`, async () => {
    const balancer = balancers[index] as RunningBalancer
    const port = portOf(balancer.addresses[address] as string)
    const url = `${address === 1 ? 'https' : 'http'}://127.0.0.1:${port}`
    const { faults, answered, repeated } = await reloadUnderHttp2({
      balancer,
      url,
      clients: 2,
      streams: 5,
      requests: REQUESTS,
      path: '/hello',
    })
    assert.equal(faults, [])
    assert.ok(answered >= REQUESTS)
    if (address === 0) assert.is(repeated, 0)
  })

test('streams that begin before the client has read of the end are served, although it reads late', async () => {
  // One where HTTP/2 ends in a worker, and an app's own server.
  await Promise.all(balancers.map(readLate))
})

async function readLate(balancer: RunningBalancer): Promise<void> {
  const client = new RawHttp2(balancer.port).begin().send(headers(1))
  await until(() => client.frames.some(({ type, stream }) => type === types.headers && stream === 1))
  const reload = runCommand(balancer, ['reload'])
  const goaways = () => client.frames.filter(({ type }) => type === types.goaway).map(({ content }) => content.readUInt32BE(0))
  await until(() => goaways().length > 0)
  // The client does not answer the PING for this long, so the worker does not know that it has read the announcement.
  await pause(LATE_MS)
  client.send(headers(3), headers(5))
  const ping = await until(() => client.frames.find(({ type, flags }) => type === types.ping && flags === 0))
  client.send(headers(7), frame(types.ping, 1, 0, ping.content))
  for (const id of [3, 5, 7])
    await until(() => client.frames.some(({ stream, flags }) => stream === id && (flags & END_STREAM) !== 0), 10_000, `stream ${id}`)
  await until(() => client.hasEnded)
  assert.equal([...new Set(goaways())], [NOTICE, 7])
  assert.is((await reload).code, 0)
}

function headers(id: number): Buffer {
  return frame(types.headers, END_STREAM | END_HEADERS, id, request('/hello'))
}

test.run()
