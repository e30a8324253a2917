// Attacks over HTTP/2: what other clients notice. Each attack is made three times from one process of the lowest priority: on the balancer; on a process that
// discards the same bytes and ends connections as the balancer did, while the others use the balancer; and on two workers of Node's own server without a
// balancer, whose clients are the others then. The long form of e2e/http2-attacks.test.ts.
// The attacker's address is refused like a public one. OWN=1: against the app's own server of HTTP/2. ATTACK=PING,SETTINGS: these alone. REFUSE=0: no address is
// refused, as if each connection of the attack came from another one.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { assert, atSuiteEnd, suite } from '../../../test/suite.ts'
import { type AttackTotals, p99Of, runAttack, sessionsToAll, workerPids } from '../test/e2e/support/http2-attack-run.ts'
import type { Http2Client } from '../test/e2e/support/http2-client.ts'
import { fixture, startBalancer } from '../test/e2e/support/running-balancer.ts'
import { attacks } from '../test/fixtures/http2-attacker.ts'

const ATTACK_MS = 1000 * Number(process.env.SOAK_SECONDS ?? 5)
const WORKERS = 2
const EVERY_MS = 5
const CONNECTIONS: Readonly<Record<string, number>> = { 'idle streams': 80, 'idle sessions': 10_000, 'slow heads': 1000 }
const ATTACKER = '127.0.0.2'
const { OWN, ATTACK, REFUSE } = process.env
const isOwn = OWN === '1'
const MAX_MEMORY_MIB = 400
/** Of the others' p99 beside the same attack on a process that discards it. */
const MAX_RATIO = 2
const test = suite('attacks over HTTP/2', { timeoutMs: 1_800_000 })

interface Target {
  readonly attacks: readonly string[]
  readonly port: number
  readonly connections: number
  readonly pids: readonly number[]
  readonly sessions: readonly Http2Client[]
}

/** Others count from the begin of the attack: the start of its process is none. The worst worker counts. */
async function beside({ sessions, ...attack }: Target): Promise<{ p99Ms: number; faults: string[]; totals: AttackTotals }> {
  let begin = (): void => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  const running = runAttack({ ...attack, ms: ATTACK_MS, address: ATTACKER, onBegun: begin })
  await begun
  const { p99Ms, faults } = await p99Of(sessions, EVERY_MS, running)
  for (const session of sessions) session.close()
  return { p99Ms: Math.max(...p99Ms), faults, totals: await running }
}

async function startChild<Said>(name: string, ...args: string[]): Promise<[child: ChildProcess, said: Said]> {
  const child = fork(fixture(name), args)
  atSuiteEnd(() => child.kill('SIGKILL'))
  return [child, (await once(child, 'message'))[0] as Said]
}

test(`the p99 of others beside attacks of ${ATTACK_MS / 1000} s`, async () => {
  const balancer = await startBalancer({
    config: {
      app: isOwn ? 'http2-own-app.mjs' : 'http2-app.mjs',
      pools: { web: { workers: WORKERS } },
      ...(isOwn
        ? { listen: undefined }
        : { listen: { host: '127.0.0.1', port: 0, http2: { refusePrivate: REFUSE !== '0', refuseMs: ATTACK_MS } } }),
    },
    env: { OWN_PORT: '0' },
  })
  await balancer.untilAllReady()
  const { port } = balancer
  const pids = await workerPids(balancer)
  const tooSlow: string[] = []
  const chosen = Object.keys(attacks).filter((name) => ATTACK === undefined || ATTACK.split(',').includes(name))

  for (const attack of chosen) {
    const connections = CONNECTIONS[attack] ?? 4
    const attacked = await beside({ attacks: [attack], port, connections, pids, sessions: await sessionsToAll(port, WORKERS) })
    const { memoryMiB, bytes, ...counts } = attacked.totals

    const [sink, sinkPort] = await startChild<number>('attack-sink.ts', String(counts.ended === 0 ? 0 : Math.ceil(bytes / counts.ended)))
    const discarded = await beside({ attacks: [attack], port: sinkPort, connections, pids, sessions: await sessionsToAll(port, WORKERS) })
    sink.disconnect()

    const [node, bare] = await startChild<{ port: number; pids: number[] }>('http2-bare.mjs', String(WORKERS))
    const onNode = await beside({ ...bare, attacks: [attack], connections, sessions: await sessionsToAll(bare.port, WORKERS) })
    node.disconnect()

    const ratio = Math.round((attacked.p99Ms / discarded.p99Ms) * 100) / 100
    const nodes = { node: onNode.p99Ms, nodesFaults: onNode.faults.length, nodesMiB: onNode.totals.memoryMiB }
    console.log(JSON.stringify({ attack, p99: attacked.p99Ms, discarded: discarded.p99Ms, ratio, ...nodes, memoryMiB, ...counts }))
    assert.equal([...attacked.faults, ...discarded.faults], [], attack)
    assert.ok(memoryMiB < MAX_MEMORY_MIB, `${attack}: a worker had ${memoryMiB} MiB`)
    if (ratio >= MAX_RATIO) tooSlow.push(`${attack}: ${ratio}`)
  }
  assert.equal(tooSlow, [], 'the p99 of others grew beyond what the same bytes cost elsewhere')
  assert.equal(await workerPids(balancer), pids)
  assert.is(await balancer.stop(), 0)
})

test.run()
