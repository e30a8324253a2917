// The schedules of a primary: starts, skips, reloads that another operation prevents, and the change to a new primary.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { BalancerError } from '../../src/errors.ts'
import { BalancerEmitter } from '../../src/events.ts'
import { loadCron } from '../../src/jobs/cron.ts'
import { Jobs, type RunOutcome } from '../../src/jobs/jobs.ts'
import type { PoolSettings } from '../../src/settings.ts'
import { plainPool } from '../support/plain-pool.ts'

const test = suite('jobs')
await loadCron()
const EVERY_SECOND = { pattern: '* * * * * *', timeZone: 'UTC', most: 1 }
const START = Date.parse('2026-11-30T02:59:59.900Z')
const nightly = (changes: Partial<PoolSettings> = {}) =>
  plainPool({ name: 'nightly', workers: 0, listens: false, schedule: EVERY_SECOND, ...changes })

/** A primary with a clock that runs from `START`, or stands. */
class Primary {
  readonly events = new BalancerEmitter()
  readonly started: string[] = []
  readonly reloaded: string[] = []
  readonly skipped: string[] = []
  readonly jobs: Jobs
  outcome: RunOutcome = 'started'
  offsetMs = START - Date.now()

  constructor(pools: readonly PoolSettings[], reload: () => Promise<unknown> = async () => {}) {
    this.events.on('jobSkipped', ({ pool, reason }) => this.skipped.push(`${pool}: ${reason}`))
    this.jobs = new Jobs({
      events: this.events,
      pools,
      retryMs: 10,
      now: () => Date.now() + this.offsetMs,
      runs: {
        startRun: (pool) => {
          if (this.outcome === 'started') {
            this.started.push(pool)
            this.events.emit('jobStarted', { pool, slot: 0, generation: 0, pid: 1 })
          }
          return this.outcome
        },
      },
      reload: (pool) => {
        this.reloaded.push(pool)
        return reload()
      },
    })
  }

  end(code: number): void {
    const exit = { startedMs: START, endedMs: START + 1, code, signal: null, isGood: code === 0 }
    this.events.emit('jobEnded', { pool: 'nightly', slot: 0, generation: 0, pid: 1, exit })
  }

  get status() {
    return this.jobs.statusOf(nightly())
  }
}

test('nothing is due before the primary serves, or after it stops', async () => {
  const primary = new Primary([nightly()])
  primary.offsetMs += 10_000
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(primary.started, [])
  primary.jobs.start()
  assert.equal(primary.started, ['nightly'])
  primary.jobs.stop()
  primary.jobs.start()
  assert.is(primary.started.length, 1)
})

test('a start that is not possible is counted, with the reason', () => {
  for (const [outcome, reason] of [
    ['busy', 'the process before still runs'],
    ['held', 'it is out of service'],
  ] as const) {
    const primary = new Primary([nightly()])
    primary.outcome = outcome
    primary.offsetMs += 1000
    primary.jobs.start()
    primary.jobs.stop()
    assert.equal(primary.skipped, [`nightly: ${reason}`])
    assert.equal([primary.status?.skipped, primary.status?.runs], [1, 0])
  }
})

test('runs and their exits are counted', () => {
  const primary = new Primary([nightly()])
  primary.offsetMs += 1000
  primary.jobs.start()
  primary.jobs.stop()
  assert.is(primary.status?.running, 1)
  primary.end(1)
  const { running, runs, failed, last } = primary.status ?? {}
  assert.equal([running, runs, failed, last?.code], [0, 1, 1, 1])
})

test('a reload that another operation prevents is not lost', async () => {
  let tries = 0
  const busy = new BalancerError('ERR_BUSY', 'a reload is under way', { source: 'system', retryable: true })
  const primary = new Primary([plainPool({ restartAt: { pattern: '0 3 30 11 *', timeZone: 'UTC' } })], async () => {
    if (++tries === 1) throw busy
  })
  primary.offsetMs += 1000
  primary.jobs.start()
  await until(() => tries >= 2, 5000, 'another try')
  primary.jobs.stop()
  assert.equal(primary.reloaded, ['web', 'web'])
  assert.is(typeof primary.jobs.restartsAtMs('web'), 'number')
})

test('a new primary waits for the process of the old one, and continues its record', () => {
  const old = new Primary([nightly()])
  old.offsetMs += 1000
  old.jobs.start()
  const next = new Primary([nightly()])
  next.offsetMs = old.offsetMs
  assert.ok(next.jobs.isWanted())
  const copy = (entries: Iterable<object>) => {
    for (const entry of entries) next.jobs.receive(JSON.parse(JSON.stringify(entry)))
  }
  copy(old.jobs.entries())
  copy(old.jobs.freeze())
  next.jobs.start()
  old.jobs.onNewPrimaryServes((entry) => copy([entry]))
  next.offsetMs += 1000
  old.offsetMs += 1000
  next.jobs.resume()
  next.jobs.freeze()
  next.jobs.resume()
  assert.equal([next.started, next.skipped], [[], ['nightly: a process of the old primary still runs']])
  assert.equal([next.status?.running, next.status?.runs], [1, 1])
  assert.equal(
    [old.jobs.obstacleTo('nightly'), next.jobs.obstacleTo('nightly')],
    ['an upgrade is under way', 'a process of the old primary still runs'],
  )
  old.end(0)
  assert.is(next.jobs.obstacleTo('nightly'), undefined)
  assert.equal([next.status?.running, next.status?.last?.code], [0, 0])
  next.offsetMs += 1000
  next.jobs.freeze()
  next.jobs.resume()
  assert.equal([next.started.length, next.status?.runs], [1, 2])
  assert.is(old.started.length, 1)
  for (const { jobs } of [old, next]) jobs.stop()
})

test('a failed upgrade loses no time', () => {
  const primary = new Primary([nightly()])
  primary.jobs.start()
  primary.jobs.freeze()
  primary.offsetMs += 1000
  primary.jobs.resume()
  primary.jobs.stop()
  assert.is(primary.started.length, 1)
})

test('entries of another version, or of another schedule, are ignored', () => {
  const primary = new Primary([nightly()])
  const before = primary.status?.nextStartMs
  for (const entry of [
    null,
    3,
    {},
    { key: 'run nightly' },
    { key: 'run nightly', identity: 'x', lastMs: START + 1e6, record: { runs: 'many' } },
  ])
    primary.jobs.receive(entry)
  assert.is(primary.status?.nextStartMs, before)
  assert.is(primary.status?.runs, 0)
  primary.jobs.stop()
})

test('without schedules nothing is wanted from an old primary', () => {
  const primary = new Primary([plainPool()])
  primary.jobs.start()
  assert.not.ok(primary.jobs.isWanted())
  assert.is(primary.jobs.statusOf(plainPool()), null)
  primary.jobs.stop()
})

test.run()
