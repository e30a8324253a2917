// The whole script, in a very short form: which contenders take part, what it refuses to time, how it ends. No figure is asserted.

import { assert, suite } from '../../test/suite.ts'
import type { Sample } from '../src/entrant.ts'
import type { Row, Verdict } from '../src/report.ts'
import { dataOf, start, startWith } from './run.ts'

interface Data {
  readonly rows: Row[]
  readonly verdicts: Verdict[]
  readonly samples: Sample[]
}

const test = suite('bench', { timeoutMs: 60_000 })

const PLAIN = ['--only', 'kept-alive', '--only', 'new-connections']

test('every contender is measured in every scenario without routes, and every target has its verdict', async () => {
  const run = start('--json', ...PLAIN)
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
  const { rows, samples } = await dataOf<Data>(start('--json', '--load', 'autocannon', '--only', 'new-connections', '--seconds', '1.5'))
  assert.equal([...new Set(rows.map(({ load }) => load))], ['autocannon'])
  assert.is(rows.length, 3)
  for (const { requests } of samples) assert.ok(requests > 64, `${requests} answers on 64 connections`)
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
  const run = startWith('fails-later', '--only', 'kept-alive', '--warm-up', '0', '--seconds', '1')
  assert.is((await run.ended).code, 1)
  assert.match(run.output(), /bench: tired, kept-alive, autocannon: answers other than 2xx: \d+/)
})

test('--check fails when a target is missed, and only then', async () => {
  const missed = startWith('costly', '--check', '--only', 'kept-alive')
  assert.is((await missed.ended).code, 1, missed.output())
  assert.match(missed.output(), 'MISSED')
  const met = startWith('cheap', '--check', '--only', 'kept-alive')
  assert.is((await met.ended).code, 0, met.output())
  const unchecked = startWith('costly', '--only', 'kept-alive')
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
  const run = startWith('needs-more', '--only', 'kept-alive', '--json')
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
    const run = start(...args)
    assert.is((await run.ended).code, 2, args.join(' '))
    assert.is(run.stdout(), '')
  }
})

test.run()
