// A login that belongs to the connection, such as NTLM: the connection stays with its worker, while others rest.

import { assert, suite } from '../../../../test/suite.ts'
import { get, json, RawClient } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

interface Answered {
  readonly pid: number
  readonly isKnown: boolean
}

const KEEP = { Connection: 'keep-alive' }
const test = suite('logins of connections', { timeoutMs: 40_000 })
let balancer: RunningBalancer

test.before(async () => {
  balancer = await startBalancer({
    config: { app: 'connection-app.mjs', pools: { web: { workers: 2, rest: 'always' } }, policy: 'round-robin' },
  })
  await balancer.untilAllReady()
})

test.after(async () => {
  assert.is(await balancer.stop(), 0)
})

const resting = (count: number) => balancer.untilStatus(({ connections }) => connections.waiting.resting === count, `${count} at rest`)

const logins: readonly [what: string, requests: readonly string[]][] = [
  ['a property of the socket', [get('/property', KEEP)]],
  ['a challenge and its answer', [get('/challenge', KEEP), get('/', { ...KEEP, Authorization: 'NTLM TlRMTVNTUAAD' })]],
  ['an unsolicited Authorization field', [get('/', { ...KEEP, Authorization: 'NTLM TlRMTVNTUAAD' })]],
]

for (const [what, requests] of logins) {
  test(`${what}: every later request on the connection reaches the same worker`, async () => {
    const client = new RawClient(balancer.port)
    const pids = new Set<number>()
    for (const request of requests) pids.add(JSON.parse(String((await client.write(request).answer()).body)).pid)
    for (let turn = 0; turn < 20; turn++) {
      const { pid, isKnown } = json<Answered>(await client.write(get('/', KEEP)).answer())
      assert.ok(isKnown)
      pids.add(pid)
    }
    assert.is(pids.size, 1)
    // A connection without login rests. By then the other one would have rested too.
    const other = new RawClient(balancer.port)
    await other.write(get('/', KEEP)).answer()
    await resting(1)
    other.destroy()
    client.destroy()
    await resting(0)
  })
}

test.run()
