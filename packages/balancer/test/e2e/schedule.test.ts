// Pools with a schedule: one process at each time, and what becomes of it in reloads, upgrades and stops; and reloads by `restartAt`.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import type { BalancerConfig, PoolConfig } from '../../src/config/config.ts'
import type { BalancerStatus, JobStatus } from '../../src/status.ts'
import { runCommand } from './support/commands.ts'
import { once } from './support/once.ts'
import { type LogLine, type RunningBalancer, startBalancer } from './support/running-balancer.ts'
import { firstEnded, SteadyLoad, startUpgradable, stopServing, upgrade } from './support/upgradable-balancer.ts'

const test = suite('schedule', { timeoutMs: 60_000 })

const EVERY_SECOND = '* * * * * *'
const job = (changes: PoolConfig = {}): PoolConfig => ({ app: 'job-app.mjs', schedule: EVERY_SECOND, ...changes })
const withJobs = (jobs: Record<string, PoolConfig>, web: PoolConfig = {}): BalancerConfig => ({
  app: 'echo-app.mjs',
  pools: { web: { workers: 1, ...web }, ...jobs },
})
const jobOf = ({ pools }: BalancerStatus, pool = 'nightly') => pools.find(({ name }) => name === pool)?.job as JobStatus
const untilJob = async (balancer: RunningBalancer, condition: (job: JobStatus) => boolean, what: string, pool = 'nightly') =>
  jobOf(await balancer.untilStatus((status) => condition(jobOf(status, pool)), what), pool)
const linesOf = ({ lines }: RunningBalancer, pool: string, form: RegExp): LogLine[] =>
  lines.filter((line) => line.pool === pool && form.test(line.msg))
const startsOf = (balancer: RunningBalancer, pool = 'nightly') => linesOf(balancer, pool, /^\w+\/\d started by its schedule/)
const endsOf = (balancer: RunningBalancer, pool = 'nightly') => linesOf(balancer, pool, /^\w+\/\d (has ended with|was ended by)/)

/** How many processes of the pool ran at the same moment, at most. */
function mostAtOnce(balancer: RunningBalancer, pool = 'nightly'): number {
  const changes = [
    ...startsOf(balancer, pool).map(({ time }) => ({ atMs: Number(time), change: 1 })),
    ...endsOf(balancer, pool).map(({ time }) => ({ atMs: Number(time), change: -1 })),
  ].sort((one, other) => one.atMs - other.atMs || one.change - other.change)
  let running = 0
  let most = 0
  for (const { change } of changes) {
    running += change
    most = Math.max(most, running)
  }
  return most
}

/** Each pool ends in another way. Its time to drain is short. */
const jobs = once(async () => {
  const pools = {
    failing: job({ schedule: '*/2 * * * * *', env: { CODE: '4' } }),
    crashing: job({ schedule: '*/2 * * * * *', env: { THROWS: '1' } }),
    long: job({ env: { WORK_MS: '2300' } }),
    several: job({ overlap: true, workers: 2, env: { WORK_MS: '4500' } }),
    aged: job({ maxAgeMs: 1000, env: { WORK_MS: '60000' } }),
  }
  return startBalancer({
    config: { ...withJobs(pools, { app: 'announcing-app.mjs', readyWhen: 'message', restartAt: '*/2 * * * * *' }), drainTimeoutMs: 500 },
  })
})
const upgradable = once(() => startUpgradable({ config: withJobs({ nightly: job({ env: { WORK_MS: '1500' } }) }) }))
const reloadable = once(() => startBalancer({ config: withJobs({ nightly: job({ env: { WORK_MS: '4000' } }) }) }))

// They run side by side, so that their times pass at once.
test.before(async () => {
  await Promise.all([upgradable(), reloadable()])
})

test('drain takes the schedule out of service, and restart brings it back and starts a process now', async () => {
  const balancer = await reloadable()
  await untilJob(balancer, ({ running }) => running === 1, 'a run')
  const drain = await runCommand(balancer, ['drain', 'nightly/0'])
  assert.is(drain.code, 0, drain.err)
  assert.is(endsOf(balancer)[0]?.code, 0)
  const { runs, skipped } = jobOf(await balancer.status())
  assert.is((await untilJob(balancer, (now) => now.skipped > skipped, 'a skipped time')).runs, runs)
  const restart = await runCommand(balancer, ['restart', 'nightly/0'])
  assert.is(restart.code, 0, restart.err)
  assert.match(restart.out, /nightly\/0 runs now \(pid \d+\)/)
  assert.is(jobOf(await balancer.status()).runs, runs + 1)
  const [again, scale] = await Promise.all([
    runCommand(balancer, ['restart', 'nightly/0']),
    runCommand(balancer, ['scale', 'nightly', '3']),
  ])
  assert.is(again.code, 7)
  assert.is(scale.code, 2)
  assert.match(scale.err, 'runs on a schedule')
})

test('a reload leaves the process alone, and the next one runs the new config', async () => {
  const balancer = await reloadable()
  balancer.configure(withJobs({ nightly: job({ env: { WORK_MS: '60000' } }) }))
  const reload = await runCommand(balancer, ['reload'])
  assert.is(reload.code, 0, reload.err)
  await until(() => linesOf(balancer, 'nightly', /^app: job 0 1 /)[0], 15_000, 'a run of the new generation')
  assert.ok(endsOf(balancer).every(({ code }) => code === 0))
})

test('a reload without the pool tells its process to stop', async () => {
  const balancer = await reloadable()
  balancer.configure({ ...withJobs({}), drainTimeoutMs: 200 })
  assert.is((await runCommand(balancer, ['reload'])).code, 0)
  assert.equal(
    (await balancer.status()).pools.map(({ name }) => name),
    ['web'],
  )
  assert.is(endsOf(balancer).at(-1)?.code, 9)
  assert.is(await balancer.stop(), 0)
})

test('in an upgrade there are never two, the process is finished, and the record goes on', async () => {
  const balancer = await upgradable()
  await untilJob(balancer, ({ running }) => running === 1, 'a run')
  const before = jobOf(await balancer.status())
  await upgrade(balancer)
  assert.is(await firstEnded(balancer), 0)
  await untilJob(balancer, ({ runs }) => runs > before.runs, 'a run of the new primary')
  // The stop waits for the process.
  await stopServing(balancer)
  assert.is(mostAtOnce(balancer), 1)
  assert.is(endsOf(balancer).length, startsOf(balancer).length)
  assert.ok(endsOf(balancer).every(({ code }) => code === 0))
})

test('each time starts one process; its output, exit and next start are in the log, the status and the metrics', async () => {
  const balancer = await jobs()
  const found = await untilJob(balancer, ({ failed }) => failed >= 2, 'two runs', 'failing')
  assert.equal([found.last?.code, found.last?.signal, found.last?.isGood], [4, null, false])
  assert.ok((found.last?.endedMs ?? 0) >= (found.last?.startedMs ?? 0) && found.failed <= found.runs)
  assert.is(typeof found.nextStartMs, 'number')
  assert.ok(linesOf(balancer, 'failing', /^app: done$/).every(({ stream }) => stream === 'stdout'))
  assert.is(linesOf(balancer, 'failing', /^failing\/0 has ended with code 4 after/)[0]?.level, 40)
  const { out } = await runCommand(balancer, ['status'])
  assert.match(out, /failing +\*\/2 \* \* \* \* \* +in .*code 4,/)
  const metrics = await balancer.metrics()
  assert.match(metrics, /switchyard_job_last_success\{pool="failing"\} 0/)
  assert.match(metrics, /switchyard_job_runs_total\{pool="failing"\} \d+/)
})

test('a process that crashes at once waits for its next time', async () => {
  const balancer = await jobs()
  await untilJob(balancer, ({ failed }) => failed >= 2, 'two crashes', 'crashing')
  const starts = startsOf(balancer, 'crashing')
  const seconds = new Set(starts.map(({ time }) => Math.floor(Number(time) / 1000)))
  assert.ok(starts.length <= seconds.size + 1, `${starts.length} in ${seconds.size} s`)
})

test('a process that outlives its next time is not joined by a second one', async () => {
  const balancer = await jobs()
  await untilJob(balancer, ({ runs, skipped }) => runs >= 2 && skipped >= 2, 'two runs and skipped times', 'long')
  assert.is(mostAtOnce(balancer, 'long'), 1)
  assert.ok(linesOf(balancer, 'long', /^long was not started at .*: the process before still runs/).length > 0)
})

test('overlap allows as many at once as workers says', async () => {
  const balancer = await jobs()
  await untilJob(balancer, ({ runs, skipped }) => runs >= 2 && skipped >= 1, 'two runs', 'several')
  assert.is(mostAtOnce(balancer, 'several'), 2)
  const slots = linesOf(balancer, 'several', /^app: job/).map(({ msg }) => msg.split(' ')[2])
  assert.equal([...new Set(slots)].sort(), ['0', '1'])
})

test('restartAt reloads its pool without a failed request, and there is nothing to roll back', async () => {
  const balancer = await jobs()
  const before = (await balancer.status()).pools[0]?.generation ?? 0
  const load = new SteadyLoad(balancer.port, { kept: 4, fresh: 2 })
  await load.more(20)
  const { pools } = await balancer.untilStatus(({ pools }) => (pools[0]?.generation ?? 0) >= before + 2, 'two reloads')
  await load.more(20)
  assert.equal((await load.stop()).faults, [])
  assert.is(typeof pools[0]?.restartsAtMs, 'number')
  assert.ok(balancer.lines.some(({ msg }) => msg === 'scheduled reload of web begins'))
  const rollback = async () => {
    const result = await runCommand(balancer, ['rollback'])
    return result.code === 7 ? undefined : result
  }
  assert.is((await until(rollback, 15_000, 'a rollback')).code, 9)
})

test('a process that takes longer than maxAgeMs, or than the drain of a stop, is told to stop', async () => {
  const balancer = await jobs()
  await untilJob(balancer, ({ last }) => last?.code === 9, 'the end by its age', 'aged')
  assert.ok(linesOf(balancer, 'aged', /^aged\/0 is told to stop: it is \d+ s old \(maxAgeMs\)/).length > 0)
  await untilJob(balancer, ({ running }) => running === 1, 'another run', 'aged')
  assert.is(await balancer.stop(), 0)
  const last = endsOf(balancer, 'aged').at(-1)
  // The app may not have had its listener yet.
  assert.ok(last?.code === 9 || last?.signal === 'SIGTERM', last?.msg)
})

test.run()
