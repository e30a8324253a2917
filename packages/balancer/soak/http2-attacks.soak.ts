// Attacks over HTTP/2: what other clients notice, on the workers that are attacked, compared with a process of the lowest priority that sends nothing. The long form of e2e/http2-attacks.test.ts.
// OWN=1: against the app's own server of HTTP/2. ATTACK=PING: one attack alone.

import { assert, suite } from '../../../test/suite.ts'
import { p99Of, runAttack, sessionsToAll, workerPids } from '../test/e2e/support/http2-attack-run.ts'
import type { Http2Client } from '../test/e2e/support/http2-client.ts'
import { startBalancer } from '../test/e2e/support/running-balancer.ts'
import { attacks } from '../test/fixtures/http2-attacker.ts'

const ATTACK_MS = 1000 * Number(process.env.SOAK_SECONDS ?? 5)
const WORKERS = 2
const EVERY_MS = 5
const CONNECTIONS: Readonly<Record<string, number>> = { 'idle streams': 80, 'idle sessions': 10_000, 'slow heads': 1000 }
const isOwn = process.env.OWN === '1'
const MAX_MEMORY_MIB = 400
/** Of the others' p99, in the median of all attacks. One alone depends on what else the machine does. */
const MAX_RATIO = 2
const test = suite('attacks over HTTP/2', { timeoutMs: 900_000 })

test(`the p99 of others beside attacks of ${ATTACK_MS / 1000} s`, async () => {
  const balancer = await startBalancer({
    config: {
      app: isOwn ? 'http2-own-app.mjs' : 'http2-app.mjs',
      pools: { web: { workers: WORKERS } },
      ...(isOwn ? { listen: undefined } : { listen: { host: '127.0.0.1', port: 0, http2: true } }),
    },
    env: { OWN_PORT: '0' },
  })
  await balancer.untilAllReady()
  const { port } = balancer
  const before = await workerPids(balancer)
  const ratios: number[] = []

  /** Others count from the begin of the attack: the start of its process is none. */
  async function beside(names: readonly string[], connections: number, sessions: readonly Http2Client[]) {
    let begin = (): void => {}
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const running = runAttack({ balancer, port, attacks: names, connections, ms: ATTACK_MS, onBegun: begin })
    await begun
    const { p99Ms, faults } = await p99Of(sessions, EVERY_MS, running)
    return { p99Ms, faults, totals: await running }
  }

  for (const attack of Object.keys(attacks).filter((name) => process.env.ATTACK === undefined || name === process.env.ATTACK)) {
    const sessions = await sessionsToAll(port, WORKERS)
    const alone = await beside(['none'], 1, sessions)
    const attacked = await beside([attack], CONNECTIONS[attack] ?? 4, sessions)
    const { memoryMiB, ...counts } = attacked.totals
    const ratio = Math.max(...attacked.p99Ms) / Math.max(...alone.p99Ms)
    ratios.push(ratio)
    console.log(
      JSON.stringify({ attack, alone: alone.p99Ms, beside: attacked.p99Ms, ratio: Math.round(ratio * 100) / 100, memoryMiB, ...counts }),
    )
    assert.equal([...alone.faults, ...attacked.faults], [])
    assert.ok(memoryMiB < MAX_MEMORY_MIB, `${attack}: a worker had ${memoryMiB} MiB`)
    for (const session of sessions) session.close()
  }
  const median = ratios.sort((one, other) => one - other)[Math.floor(ratios.length / 2)] as number
  assert.ok(median < MAX_RATIO, `p99 grew to ${median.toFixed(2)} times its value`)
  assert.equal(await workerPids(balancer), before)
  assert.is(await balancer.stop(), 0)
})

test.run()
