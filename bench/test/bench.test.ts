// The whole script, in a very short form: which contenders take part, what it refuses to time, how it ends. No figure is asserted.

import { assert, suite } from '../../test/suite.ts'
import type { LoggedChild } from '../../test/support/spawn.ts'
import type { Sample } from '../src/entrant.ts'
import { readOptions, UsageError } from '../src/options.ts'
import type { Row, Verdict } from '../src/report.ts'
import { dataOf, measured, start, startWith } from './run.ts'

interface Data {
  readonly rows: Row[]
  readonly verdicts: Verdict[]
  readonly samples: Sample[]
}

const test = suite('bench', { timeoutMs: 60_000 })

const PLAIN = ['--only', 'kept-alive', '--only', 'new-connections']

test('every contender is measured in every scenario without routes, and every target has its verdict', async () => {
  const run = await measured((...turns) => start('--json', '--no-trial', ...PLAIN, ...turns))
  const { rows, verdicts, samples } = await dataOf<Data>(run)
  assert.equal(
    rows.map(({ scenario, contender }) => `${scenario} ${contender}`),
    ['kept-alive', 'new-connections'].flatMap((scenario) =>
      ['SCHED_NONE', 'node:cluster', 'switchyard'].map((contender) => `${scenario} ${contender}`),
    ),
  )
  for (const sample of samples) {
    assert.ok(sample.requests > 0, JSON.stringify(sample))
    assert.is(sample.workerCpuMs.length, 2)
  }
  assert.equal(
    verdicts.map(({ scenario, against }) => `${scenario} ${against}`),
    ['kept-alive SCHED_NONE', 'new-connections SCHED_NONE', 'new-connections node:cluster'],
  )
  assert.match(run.output(), /\| new-connections +\| \w+ +\| switchyard +\|/)
})

test('autocannon opens a connection for every request and counts the answers', async () => {
  const what = ['--json', '--no-trial', '--load', 'autocannon', '--only', 'new-connections']
  const answers = (run: LoggedChild): number[] => (JSON.parse(run.stdout()) as Data).samples.map(({ requests }) => requests)
  // Each connection has one request under way when the time is up.
  const run = await measured(
    (...turns) => start(...what, ...turns),
    (one) => one.stdout() !== '' && Math.min(...answers(one)) > 64,
  )
  const { rows } = await dataOf<Data>(run)
  assert.equal([...new Set(rows.map(({ load }) => load))], ['autocannon'])
  assert.is(rows.length, 3)
  for (const requests of answers(run)) assert.ok(requests > 64, `${requests} answers on 64 connections`)
})

test('a contender that answers wrongly is never timed', async () => {
  const run = startWith('wrong-body')
  assert.is((await run.ended).code, 1)
  assert.match(run.output(), 'bench: wrong answers "Hello wolrd\\n" where "Hello world\\n" is right')
  assert.not.match(run.output(), 'round 1')
})

test('a contender with a worker that never answers is never timed', async () => {
  const run = startWith('one-of-two')
  assert.is((await run.ended).code, 1)
  assert.match(run.output(), 'bench: lonely has 2 workers, and 1 answered')
})

test('an answer other than 2xx while timed makes the run invalid', async () => {
  const fault = /bench: tired, kept-alive, autocannon: answers other than 2xx: \d+/
  const run = await measured(
    (...turns) => startWith('fails-later', '--no-trial', '--only', 'kept-alive', ...turns),
    (one) => fault.test(one.output()),
  )
  assert.is((await run.ended).code, 1)
  assert.match(run.output(), fault)
})

test('--check fails when a target is missed, and only then', async () => {
  const runWith = (fixture: string, ...args: string[]) =>
    measured((...turns) => startWith(fixture, ...args, '--no-trial', '--only', 'kept-alive', ...turns))
  const missed = await runWith('costly', '--check')
  assert.is((await missed.ended).code, 1, missed.output())
  assert.match(missed.output(), 'MISSED')
  const met = await runWith('cheap', '--check')
  assert.is((await met.ended).code, 0, met.output())
  const unchecked = await runWith('costly')
  assert.is((await unchecked.ended).code, 0, unchecked.output())
})

test('SIGTERM ends the bench and every process that it started', async () => {
  const run = start('--seconds', '60')
  await run.untilOutput(/checking the answers of switchyard/)
  run.process.kill('SIGTERM')
  assert.is((await run.ended).code, 143)
})

test('a contender that answers from the wrong pool is never timed', async () => {
  const run = startWith('wrong-pool')
  assert.is((await run.ended).code, 1)
  assert.match(run.output(), "bench: astray has /a answered by pool 'b'")
})

test('a contender whose program is not installed is left out, in one line', async () => {
  const run = await measured((...turns) => startWith('needs-more', '--no-trial', '--only', 'kept-alive', '--json', ...turns))
  const { rows } = await dataOf<Data>(run)
  assert.equal(
    rows.map(({ contender }) => contender),
    ['frugal'],
  )
  assert.match(run.output(), "no-such-command is not installed: 'demanding' is left out\n")
})

test('a wrong command line is refused with 2', async () => {
  for (const args of [
    ['--only', 'tea'],
    ['--rounds', '0'],
    ['--seconds', 'x'],
    ['--fast'],
    ['--queueing', '--only', 'every-request-moves'],
    ['--queueing', '--requests', '2.5'],
    ['--queueing', '--pinned'],
  ]) {
    const error = await readOptions(args).catch((reason: unknown) => reason)
    assert.instance(error, UsageError, args.join(' '))
  }
  const run = start('--queueing', '--pinned')
  assert.is((await run.ended).code, 2)
  assert.is(run.stdout(), '')
  assert.match(run.output(), 'bench: --queueing and --pinned are two runs')
})

test.run()
