// Sessions in the memory of the primary survive crashes and reloads of workers and upgrades of the primary.

import { hasNative } from '@switchyard/handoff'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import type { BalancerStatus } from '../../src/status.ts'
import { runCommand } from './support/commands.ts'
import { metric } from './support/cookie-visitors.ts'
import { exchange, get, json, RawClient, thinkTime } from './support/raw-client.ts'
import { RequestHold } from './support/request-hold.ts'
import type { RunningBalancer } from './support/running-balancer.ts'
import { startUpgradable, stopServing, tryUpgrade, untilGone, upgrade } from './support/upgradable-balancer.ts'

interface AppAnswer {
  readonly pid: number
  readonly slot: number
  readonly id?: string
  readonly before?: { readonly n: number }
  readonly value?: { readonly n: number }
  readonly kept?: boolean
  readonly was?: boolean
}

const WORKERS = 2
const SESSIONS = 10
/** Pause of a client between two increments. */
const PAUSE_MS = 10

async function ask(balancer: RunningBalancer, path: string, id?: string): Promise<AppAnswer> {
  const answer = await exchange(balancer.port, get(id === undefined ? path : `${path}?id=${id}`))
  assert.is(answer.status, 200, answer.body.toString())
  return json<AppAnswer>(answer)
}

async function create(balancer: RunningBalancer, count: number): Promise<string[]> {
  const ids: string[] = []
  for (let index = 0; index < count; index++) ids.push((await ask(balancer, '/new')).id as string)
  return ids
}

/** Increments sessions in turn, from several clients at a time, until `stop`. */
class Adding {
  readonly counts = new Map<string, number>()
  readonly faults: string[] = []
  private isOver = false
  private readonly clients: Promise<void>[]

  constructor(balancer: RunningBalancer, ids: readonly string[], clients = 6) {
    this.clients = Array.from({ length: clients }, (_, client) => this.run(balancer, ids, client))
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0)
  }

  async more(count: number): Promise<void> {
    const enough = this.total + count
    await until(() => this.total >= enough || this.faults.length > 0, 60_000, `${count} more requests`)
  }

  async stop(): Promise<void> {
    this.isOver = true
    await Promise.all(this.clients)
  }

  private async run(balancer: RunningBalancer, ids: readonly string[], first: number): Promise<void> {
    for (let turn = first; !this.isOver; turn++) {
      const id = ids[turn % ids.length] as string
      try {
        await ask(balancer, '/add', id)
        this.counts.set(id, (this.counts.get(id) ?? 0) + 1)
      } catch (error) {
        this.faults.push((error as Error).message)
      }
      await thinkTime(PAUSE_MS)
    }
  }
}

async function valuesOf(balancer: RunningBalancer, ids: readonly string[]): Promise<(number | undefined)[]> {
  const values: (number | undefined)[] = []
  for (const id of ids) values.push((await ask(balancer, '/get', id)).value?.n)
  return values
}

/** The counts of sessions and tombstones. */
async function stored(balancer: RunningBalancer): Promise<[sessions: number, tombstones: number]> {
  return [await metric(balancer, 'switchyard_sessions'), await metric(balancer, 'switchyard_sessions_tombstones')]
}

for (const channel of ['native', 'portable']) {
  if (channel === 'native' && !hasNative()) continue
  const test = suite(`live sessions, ${channel}`, { timeoutMs: 90_000 })
  const config = {
    app: 'counting-app.mjs',
    pools: { web: { workers: WORKERS } },
    policy: 'round-robin' as const,
    restartDelayMs: 20,
    // On a slow machine the switch between two primaries takes longer. A lost command would never be answered.
    sessions: { commandTimeoutMs: 5_000 },
  }
  let balancer: RunningBalancer
  let ids: string[] = []
  /** The primary that serves. */
  let lastPid = 0

  test.before(async () => {
    balancer = await startUpgradable({ config, env: { SWITCHYARD_CHANNEL: channel } })
    lastPid = balancer.pid
    ids = await create(balancer, SESSIONS)
  })

  test.after(() => stopServing(balancer))

  test('every worker sees the same sessions', async () => {
    const seen = new Set<number>()
    const [id] = await create(balancer, 1)
    const [sessions, tombstones] = await stored(balancer)
    for (let turn = 1; turn <= 12 || (turn < 100 && seen.size < WORKERS); turn++) {
      const { value, slot } = await ask(balancer, '/add', id)
      assert.is(value?.n, turn)
      seen.add(slot)
    }
    assert.is(seen.size, WORKERS)
    await ask(balancer, '/end', id)
    assert.equal(await stored(balancer), [sessions - 1, tombstones + 1])
    const reported = ({ pools }: BalancerStatus) => pools[0]?.workers.every((worker) => (worker.sessions?.commands ?? 0) > 0) === true
    await balancer.untilStatus(reported, 'the command counts of every worker')
    const metrics = await balancer.metrics()
    for (let slot = 0; slot < WORKERS; slot++) {
      assert.match(metrics, new RegExp(`^switchyard_session_store_up\\{pool="web",slot="${slot}",kind="embedded"\\} 1$`, 'm'))
      assert.match(metrics, new RegExp(`^switchyard_session_commands_total\\{pool="web",slot="${slot}"\\} [1-9]`, 'm'))
      assert.match(metrics, new RegExp(`^switchyard_session_commands_failed_total\\{pool="web",slot="${slot}"\\} 0$`, 'm'))
    }
  })

  test('no acknowledged increment is lost when workers are killed again and again', async () => {
    const before = await valuesOf(balancer, ids)
    const adding = new Adding(balancer, ids)
    for (let kill = 0; kill < 3; kill++) {
      await adding.more(60)
      const { pid } = (await balancer.untilAllReady()).pools.flatMap(({ workers }) => workers)[kill % WORKERS] as { pid: number }
      process.kill(pid, 'SIGKILL')
      await balancer.untilLine((line) => line.pid === pid && /ended by SIGKILL/.test(line.msg), 'the exit')
      // Requests that the worker had started have failed.
      adding.faults.length = 0
    }
    await balancer.untilAllReady()
    adding.faults.length = 0
    await adding.more(60)
    await adding.stop()
    const values = await valuesOf(balancer, ids)
    let unknown = 0
    for (const [index, id] of ids.entries()) {
      const more = (values[index] as number) - (before[index] as number) - (adding.counts.get(id) ?? 0)
      assert.ok(more >= 0, `${-more} are missing`)
      unknown += more
    }
    // Each kill may leave increments that were written but not answered.
    assert.ok(unknown <= 18, `${unknown}`)
  })

  test('a reload loses no increment', async () => {
    const before = await valuesOf(balancer, ids)
    const adding = new Adding(balancer, ids)
    await adding.more(60)
    const { code, err } = await runCommand(balancer, ['reload'])
    assert.is(code, 0, err)
    await adding.more(60)
    await adding.stop()
    assert.equal(adding.faults, [])
    assert.equal(
      await valuesOf(balancer, ids),
      ids.map((id, index) => (before[index] as number) + (adding.counts.get(id) ?? 0)),
    )
  })

  test('an upgrade loses no increment and keeps every session', async () => {
    const [ended] = await create(balancer, 1)
    await ask(balancer, '/end', ended)
    const [sessions] = await stored(balancer)
    await ask(balancer, '/fill?count=5000')
    const kept = await stored(balancer)
    assert.is(kept[0], sessions + 5000)
    assert.ok(kept[1] > 0)
    const before = await valuesOf(balancer, ids)
    const adding = new Adding(balancer, ids)
    for (let round = 0; round < 2; round++) {
      await adding.more(60)
      const old = lastPid
      lastPid = await upgrade(balancer)
      await untilGone(old)
    }
    await adding.more(60)
    await adding.stop()
    assert.equal(adding.faults, [], balancer.child.output())
    assert.equal(
      await valuesOf(balancer, ids),
      ids.map((id, index) => (before[index] as number) + (adding.counts.get(id) ?? 0)),
    )
    assert.equal(await stored(balancer), kept)
  })

  test('after the upgrade a request in an old worker sees writes of the new workers, and they see its writes', async () => {
    const [id, ended] = (await create(balancer, 2)) as [string, string]
    await ask(balancer, '/add', id)
    const hold = new RequestHold()
    const wait = (path: string, of: string) =>
      new RawClient(balancer.port).write(get(`${path}?id=${of}&while=${encodeURIComponent(hold.file)}`))
    const slow = [wait('/add', id), wait('/add', id), wait('/get', id), wait('/put', ended)] as const
    const waiting = () => balancer.lines.filter(({ msg }) => /^waits with [01]$/.test(msg)).length
    await until(() => waiting() >= slow.length, 15_000, 'slow requests that wait')
    const old = lastPid
    lastPid = await upgrade(balancer)
    const { pid } = await ask(balancer, '/add', id)
    assert.is((await ask(balancer, '/end', ended)).was, true)
    hold.release()
    const [first, second, read, put] = await Promise.all(slow.map(async (client) => json<AppAnswer>(await client.answer())))
    for (const said of [first, second, read, put]) assert.is.not(said?.pid, pid)
    assert.equal([first?.value?.n, second?.value?.n].sort(), [3, 4])
    assert.ok((read?.value?.n as number) >= 2, `${read?.value?.n}`)
    assert.is(put?.kept, false, 'a destroyed session does not come back')
    assert.is((await ask(balancer, '/get', id)).value?.n, 4)
    assert.is((await ask(balancer, '/get', ended)).value, undefined)
    for (const client of slow) client.destroy()
    await untilGone(old)
  })

  test('a failed upgrade loses no increment', async () => {
    const before = await valuesOf(balancer, ids)
    const adding = new Adding(balancer, ids)
    await adding.more(30)
    balancer.configure({ ...config, app: 'silent-app.mjs', startTimeoutMs: 500 })
    assert.is((await tryUpgrade(balancer)).code, 10)
    balancer.configure(config)
    await adding.more(30)
    await adding.stop()
    assert.equal(adding.faults, [])
    assert.equal(
      await valuesOf(balancer, ids),
      ids.map((id, index) => (before[index] as number) + (adding.counts.get(id) ?? 0)),
    )
  })

  test.run()
}
