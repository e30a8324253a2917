// The traces of `queueing`, the report of its samples, and when a run is invalid. One very short run of the whole.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { assert, suite } from '../../test/suite.ts'
import { inOneAttempt } from '../../test/support/attempts.ts'
import { until } from '../../test/support/until.ts'
import { entrants, queueingContenders } from '../src/contenders.ts'
import { FreshConnections } from '../src/fresh-connections.ts'
import { idealOf, type QueueingSample } from '../src/queueing.ts'
import { invalidity, type QueueingRow, queueingNotes, queueingRows, queueingTable, queueingVerdicts } from '../src/queueing-report.ts'
import { BEST_OTHER, IDEAL, NAIVE, NODE_IDEAL, ONE_EACH, queueingScenarios, queueingTargets, rateOf } from '../src/queueing-scenarios.ts'
import type { Verdict } from '../src/report.ts'
import { contenders as few } from './fixtures/queueing-few.js'
import { dataOf, once, startWith } from './run.ts'

interface Data {
  readonly invalid?: string
  readonly rows: QueueingRow[]
  readonly verdicts: Verdict[]
  readonly samples: QueueingSample[]
}

const test = suite('bench queueing', { timeoutMs: 60_000 })

function sample(contender: string, seed: number, p99Ms: number, more: Partial<QueueingSample> = {}): QueueingSample {
  const all = { count: 3_000, p50Ms: 4, p99Ms, maxMs: 900 }
  const ideal = { p50Ms: 2, p99Ms: 100 * seed }
  return {
    scenario: 'new-connections',
    contender,
    seed,
    all,
    ideal,
    cpuMs: 0.5,
    streams: {},
    lateP99Ms: 1,
    lateMaxMs: 9,
    waited: 0,
    ...more,
  }
}

const samples = [
  ...[120, 220, 480].map((p99Ms, index) => sample('switchyard', index + 1, p99Ms)),
  ...[150, 200, 300].map((p99Ms, index) => sample(ONE_EACH, index + 1, p99Ms)),
  ...[310, 700, 900].map((p99Ms, index) => sample(NAIVE, index + 1, p99Ms)),
]

test('the blocking scenarios load four workers by 0.7, and the timers of the mix load no worker', () => {
  const loads = queueingScenarios.map(({ streams }) =>
    streams.reduce((sum, { perSecond, blockMs }) => sum + (perSecond * blockMs) / 4000, 0),
  )
  assert.equal(
    loads.map((load) => load.toFixed(3)),
    ['0.700', '0.700', '0.590', '0.590'],
  )
  assert.equal(
    queueingScenarios.map((scenario) => rateOf(scenario).toFixed(1)),
    ['237.3', '237.3', '400.0', '400.0'],
  )
})

test('new and kept-alive connections are given the same trace', () => {
  const [onNew, kept] = queueingScenarios
  assert.equal(onNew?.streams, kept?.streams)
  assert.is(onNew?.connections, kept?.connections)
})

test('the ideal counts the same requests as a contender: none of the warm-up, which queues all the same', () => {
  const streams = [{ name: 'heavy', path: '/', perSecond: 400, timerMs: 0, blockMs: 20 }]
  const task = { seed: 1, seconds: 2, warmUpSeconds: 0, connections: 1, reconnect: true, streams, openPath: '/' }
  const whole = idealOf(task, 4)
  const later = idealOf({ ...task, warmUpSeconds: 1 }, 4)
  // Twice what four workers can do: at half time the queue is as long as it has grown until then.
  assert.ok(whole.p50Ms > 500 && whole.p50Ms < 1_500, `${whole.p50Ms}`)
  assert.ok(later.p50Ms > whole.p50Ms * 1.3, `${later.p50Ms} of ${whole.p50Ms}`)
  assert.equal(idealOf(task, 4), whole)
  assert.ok(idealOf(task, 4, 2).p50Ms > whole.p50Ms, 'what a request takes besides counts')
})

test('a row has the ratios of its seeds, each to the same trace, and their medians', () => {
  const [ideal, ours, oneEach, naive] = queueingRows(samples)
  assert.equal([ideal?.contender, ideal?.p99Ms, ideal?.timesOneEach], [IDEAL, 200, 1])
  assert.equal(ours?.timesIdealBySeed, [1.2, 1.1, 1.6])
  assert.equal([ours?.timesIdeal, ours?.p99Ms, ours?.timesOneEach], [1.2, 220, 1.1])
  assert.equal([oneEach?.timesIdeal, oneEach?.timesOneEach], [1, 1])
  assert.is(naive?.timesIdeal, 3.1)
  const table = queueingTable(queueingRows(samples))
  assert.is(table.split('\n').length, 6)
  assert.match(table, /switchyard +\| +4\.00 \| +220\.0 \| +1\.20 \| 1\.20 – 1\.10 – 1\.60 \| +\| +1\.10 \| +0\.50 \|/)
})

test('if the cost of a request in Node is known, the ideal of Node has a row and a column', () => {
  const known = samples.map((one) => ({ ...one, nodeIdeal: { p50Ms: 3, p99Ms: 110 * one.seed } }))
  const rows = queueingRows(known)
  const ofNode = rows[1]
  assert.equal([ofNode?.contender, ofNode?.p99Ms, ofNode?.timesIdeal, ofNode?.timesNodeIdeal], [NODE_IDEAL, 220, 1.1, 1])
  assert.is(rows.find(({ contender }) => contender === 'switchyard')?.timesNodeIdeal?.toFixed(3), (1.2 / 1.1).toFixed(3))
  assert.ok(queueingRows(samples).every(({ contender, timesNodeIdeal }) => contender !== NODE_IDEAL && timesNodeIdeal === undefined))
})

test('targets are compared with the medians; the best other is not one of ours', () => {
  const mix = [
    ...samples.map((one) => ({ ...one, scenario: 'io-mix' })),
    sample('switchyard, least in-flight', 1, 90, { scenario: 'io-mix' }),
    sample('slow', 1, 500, { scenario: 'io-mix' }),
  ]
  const target = { contender: 'switchyard', scenario: 'new-connections', against: IDEAL, atMost: 1.2 }
  const verdicts = queueingVerdicts(
    [...samples, ...mix],
    [
      target,
      { ...target, atMost: 1.19 },
      { ...target, against: ONE_EACH, atMost: 1.2 },
      { ...target, scenario: 'io-mix', against: BEST_OTHER, atMost: 1 },
      { ...target, scenario: 'kept-alive' },
      { ...target, against: 'absent' },
    ],
  )
  assert.equal(
    verdicts.map(({ scenario, against, measured, met }) => [scenario, against, measured.toFixed(2), met]),
    [
      ['new-connections', IDEAL, '1.20', true],
      ['new-connections', IDEAL, '1.20', false],
      ['new-connections', ONE_EACH, '1.10', true],
      ['io-mix', ONE_EACH, '1.10', false],
    ],
  )
})

test('a run in which naive round robin does well is invalid', () => {
  assert.is(invalidity(queueingRows(samples)), undefined)
  const good = samples.map((one) => (one.contender === NAIVE ? { ...one, all: { ...one.all, p99Ms: 300 * one.seed } } : one))
  assert.match(invalidity(queueingRows(good)) ?? '', /^INVALID: naive round robin has 3\.00 × the ideal where more than 3 × is due/)
  // On kept-alive connections cluster round robin does no better.
  assert.is(invalidity(queueingRows(good.map((one) => ({ ...one, scenario: 'kept-alive' })))), undefined)
})

test('a weakness of a run is reported', () => {
  assert.equal(queueingNotes(queueingRows(samples), 1), [])
  const notes = queueingNotes(queueingRows([sample('slow', 1, 100, { waited: 7 }), sample('slow', 2, 100, { lateP99Ms: 3.25 })]), 3)
  assert.equal(notes, [
    'new-connections, slow: requests left up to 3.25 ms late, so the machine was measured too',
    'new-connections, slow: 7 requests found no connection free and waited in the client',
    'Not proven to queue: naive round robin on new connections took no part.',
  ])
})

test('the contender of every target takes part in its scenario', () => {
  for (const { scenario, contender, against } of queueingTargets) {
    const names = entrants(queueingContenders, { name: scenario }).map(({ name }) => name)
    assert.ok(names.includes(contender), scenario)
    assert.ok([IDEAL, NODE_IDEAL, BEST_OTHER, ...names].includes(against), `${scenario}: ${against}`)
  }
})

test('every request has its own connection, and a missing answer is a fault', async () => {
  const clients = new Set<number | undefined>()
  const server = createServer((request, response) => {
    clients.add(request.socket.remotePort)
    if (request.url === '/lost') request.socket.destroy()
    else response.writeHead(request.url === '/right' ? 200 : 503).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const connections = new FreshConnections((server.address() as AddressInfo).port)
  await connections.open()
  const faults: (string | undefined)[] = []
  for (const [index, path] of ['/right', '/wrong', '/lost', '/right'].entries()) {
    connections.ask(0, path, (fault) => faults.push(fault))
    await until(() => faults.length === index + 1)
  }
  assert.equal(faults, [undefined, 'answers of 503', 'socket errors', undefined])
  assert.is(clients.size, 4)
  await new Promise((resolve) => server.close(resolve))
})

test(
  'every contender is sent the same trace, its requests take the time they ask for, and all are answered',
  async () => {
    const only = ['new-connections', 'io-mix-kept-alive']
    const args = ['--queueing', '--json', '--requests', '40', '--seed', '2', ...only.flatMap((name) => ['--only', name])]
    const run = startWith('queueing-few', ...args)
    const { code } = await run.ended
    assert.ok(run.stdout().startsWith('{'), run.output())
    const { rows, samples: taken, verdicts, invalid } = JSON.parse(run.stdout()) as Data
    // A trace as short as this may go well by chance.
    assert.is(code, invalid === undefined ? 0 : 1, run.output())
    assert.equal(
      rows.map(({ scenario, contender }) => `${scenario} ${contender}`),
      only.flatMap((name) =>
        [IDEAL, NODE_IDEAL, ...entrants(few, { name }).map(({ name: contender }) => contender)].map((contender) => `${name} ${contender}`),
      ),
    )
    for (const name of only) {
      const here = taken.filter(({ scenario }) => scenario === name)
      assert.is(new Set(here.map(({ all }) => all.count)).size, 1)
      const [light, heavy] = queueingScenarios.find((scenario) => scenario.name === name)?.streams ?? []
      for (const { contender, streams, seed } of here) {
        assert.is(seed, 2)
        const least = (light?.timerMs ?? 0) + (light?.blockMs ?? 0)
        assert.ok((streams.light?.p50Ms ?? 0) >= least - 1, `${contender}: ${streams.light?.p50Ms} ms`)
        assert.ok((streams.heavy?.p50Ms ?? 0) >= (heavy?.blockMs ?? 0) - 1, `${contender}: ${streams.heavy?.p50Ms} ms`)
      }
    }
    assert.is(verdicts.length, 4)
  },
  { timeoutMs: 150_000 },
)

/** A run of two contenders of a module, shared by the tests that look at it. */
const cheap = once(() => startWith('cheap', '--queueing', '--requests', '20', '--only', 'kept-alive', '--json'))

test('an invalid run says so and fails', () =>
  inOneAttempt(true, async () => {
    const run = startWith('naive', '--queueing', '--requests', '30', '--only', 'new-connections', '--json')
    const { code } = await run.ended
    const { invalid } = JSON.parse(run.stdout()) as Data
    // No request waits here, unless the machine is slow.
    if (invalid === undefined) return false
    assert.is(code, 1)
    assert.match(run.output(), /\nINVALID: naive round robin has \d\.\d\d × the ideal/)
    assert.match(invalid, /^INVALID/)
    return true
  }))

test('a trace whose generator was late is sent again, twice at most', async () => {
  const run = startWith('naive', '--queueing', '--requests', '20', '--only', 'kept-alive', '--late', '0')
  assert.is((await run.ended).code, 0, run.output())
  assert.is(run.output().split(/naive round robin: the machine was busy, requests left up to \d+\.\d ms late; again\n/).length, 3)
  assert.is((await cheap().ended).code, 0, cheap().output())
  assert.not.match(cheap().output(), /; again\n/)
})

test('an answer other than 200 while timed makes the run fail', async () => {
  const run = startWith('fails-later', '--queueing', '--requests', '200', '--only', 'new-connections')
  assert.is((await run.ended).code, 1)
  assert.match(run.output(), /bench: tired: answers of 503: \d+/)
})

test('contenders of a module take part in the scenarios they name; without any, the run fails', async () => {
  const { rows } = await dataOf<Data>(cheap())
  assert.equal(
    rows.map(({ contender }) => contender),
    [IDEAL, NODE_IDEAL, 'SCHED_NONE', 'switchyard'],
  )
  const none = startWith('cheap', '--queueing', '--only', 'io-mix')
  assert.is((await none.ended).code, 1)
  assert.match(none.output(), 'bench: there was nothing to measure')
})

test.run()
