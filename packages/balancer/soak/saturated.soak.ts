// The long form of e2e/saturated.test.ts: ab and wrk with a thousand clients, every policy, handlers of three lengths; each for 60 s, or SOAK_SECONDS.

import { assert, suite } from '../../../test/suite.ts'
import { begunOf, faultsOf, startBurning, sumOf, untilBegun } from '../test/e2e/support/saturated-workers.ts'
import { saturateByAb, saturateByWrk } from '../test/e2e/support/saturating-commands.ts'

const SECONDS = Number(process.env.SOAK_SECONDS ?? 60)
const policies = [
  'least-busy',
  { 'least-busy': { latency: true } },
  'least-in-flight',
  'round-robin',
  // The clients have no cookies.
  { sticky: { by: 'ticket' } },
  { sticky: { by: { cookie: 'session' } } },
] as const
/** What a request burns, and how many of them are one run of ab. */
const handlers = [
  { ms: 0.2, each: 20_000 },
  { ms: 1.5, each: 5_000 },
  { ms: 7, each: 2_000 },
] as const
/** Neither worker has been left out; which of them a kept-alive connection stays with is a matter of chance. */
const LEAST_SHARE = 0.1
/** A thousand clients of 7 ms wait for 3.5 s on two cores that have nothing else to do, and the command that asks has them too. */
const queue = { timeoutMs: 60_000 }
const test = suite('saturated', { timeoutMs: 2 * SECONDS * 1000 + 60_000 })

for (const policy of policies) {
  for (const { ms, each } of handlers) {
    const named = `${JSON.stringify(policy)}, ${ms} ms`
    test(`ab, new connections: ${named}: none fails, and every worker is free afterwards`, async () => {
      const balancer = await startBurning({ policy, queue })
      const { requests, faults } = await saturateByAb(balancer.port, `/one?ms=${ms}`, SECONDS, each)
      assert.equal(faults, [])
      const status = await untilBegun(balancer, requests)
      // ab opens a few more than it needs, and hangs up on those.
      assert.equal(faultsOf(status, true), [])
      tellOf(`ab ${named}`, requests, begunOf(status))
      assert.is(await balancer.stop(), 0)
    })

    test(`wrk, kept-alive connections: ${named}: none fails, and every worker is free afterwards`, async () => {
      const balancer = await startBurning({ policy, queue })
      const { requests, faults } = await saturateByWrk(balancer.port, `/one?ms=${ms}`, SECONDS)
      assert.equal(faults, [])
      const status = await untilBegun(balancer, requests)
      // At its end wrk hangs up on those that are under way.
      assert.equal(faultsOf(status, true), [])
      tellOf(`wrk ${named}`, requests, begunOf(status))
      assert.is(await balancer.stop(), 0)
    })
  }
}

/** Says how it went, and that both workers had their part in it. */
function tellOf(what: string, requests: number, begun: readonly number[]): void {
  console.log(`${what}: ${requests} requests, ${begun.join(' and ')} begun`)
  assert.is(begun.length, 2)
  for (const count of begun) assert.ok(count >= sumOf(begun) * LEAST_SHARE, `${begun}`)
}

test.run()
