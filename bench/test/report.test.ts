// The order of turns, and the report of samples.

import { assert, suite } from '../../test/suite.ts'
import { contenders, entrants } from '../src/contenders.ts'
import type { Sample } from '../src/entrant.ts'
import { loads } from '../src/loads.ts'
import { markdown, median, rowsOf, verdictsOf } from '../src/report.ts'
import { roundsOf } from '../src/round.ts'
import { scenarios, targets } from '../src/scenarios.ts'
import { turnsOf } from '../src/turn.ts'

const test = suite('bench report')

function sample(contender: string, round: number, cpuMs: number): Sample {
  const parts = { primaryCpuMs: cpuMs / 4, workerCpuMs: [cpuMs / 4, cpuMs / 2] }
  return {
    load: 'wrk',
    scenario: 'new-connections',
    contender,
    round,
    requests: 10_000,
    units: 10_000,
    seconds: 2,
    p99Ms: 9,
    cpuMs,
    ...parts,
  }
}

const samples = [
  ...[500, 470, 480].map((cpuMs, round) => sample('kernel', round + 1, cpuMs)),
  ...[528, 600, 505].map((cpuMs, round) => sample('ours', round + 1, cpuMs)),
]

test('contenders take turns within a round, and another one is first each time, in the next round too', () => {
  assert.is(turnsOf(['a', 'b', 'c'], 1, 3).join(''), 'abcbcacab')
  assert.is(turnsOf(['a', 'b', 'c'], 2, 2).join(''), 'bcacab')
  assert.is(turnsOf(['a', 'b', 'c'], 4, 1).join(''), 'abc')
})

test('every load runs every scenario that it can, in the given rounds, with its contenders', () => {
  for (const load of loads) {
    for (const scenario of scenarios) {
      const rounds = roundsOf(contenders, [scenario], [load], 2)
      assert.equal(
        rounds.map(({ round }) => round),
        load.can(scenario) ? [1, 2] : [],
      )
      for (const round of rounds) assert.equal(round.contenders, entrants(contenders, scenario))
    }
  }
})

test('both contenders of every target take part in its scenario', () => {
  for (const { scenario, contender, against } of targets) {
    const [found] = scenarios.filter(({ name }) => name === scenario)
    assert.ok(found, scenario)
    const names = entrants(contenders, found).map(({ name }) => name)
    assert.ok(names.includes(contender) && names.includes(against), `${scenario}: ${names}`)
    assert.is(new Set(names).size, names.length)
  }
})

test('a cost is counted per unit, not per request', () => {
  const [row] = rowsOf([{ ...sample('ours', 1, 500), units: 5_000 }], ['ours'], [])
  assert.is(row?.cpuUs, 100)
  assert.is(row?.requestsPerSecond, 5_000)
})

test('the median of an even number lies between the middle two', () => {
  assert.is(median([9, 1, 5]), 5)
  assert.is(median([9, 1, 5, 4]), 4.5)
  assert.ok(Number.isNaN(median([])))
})

test('a row has the medians of its rounds and compares them with the references', () => {
  const [kernel, ours] = rowsOf(samples, ['kernel', 'ours'], ['kernel', 'absent'])
  assert.is(kernel?.cpuUs, 48)
  assert.equal(kernel?.against, { kernel: 1 })
  assert.equal(ours, {
    load: 'wrk',
    scenario: 'new-connections',
    contender: 'ours',
    rounds: 3,
    cpuUs: 52.8,
    cpuUsLowest: 50.5,
    cpuUsHighest: 60,
    primaryUs: 13.2,
    requestsPerSecond: 5000,
    against: { kernel: 528 / 500 },
  })
})

test('a ratio compares turns of the same round, so a machine that grows slower does not move it', () => {
  const slower = [
    ...[100, 200, 400].map((ms, round) => sample('kernel', round + 1, ms)),
    ...[110, 220].map((ms, round) => sample('ours', round + 1, ms)),
  ]
  const [, ours] = rowsOf(slower, ['kernel', 'ours'], ['kernel'])
  assert.is(ours?.against.kernel?.toFixed(6), '1.100000')
})

test('a target is met up to its ratio; a contender that was not run has no verdict', () => {
  const rows = rowsOf(samples, ['kernel', 'ours'], ['kernel'])
  const target = { scenario: 'new-connections', contender: 'ours', against: 'kernel', atMost: 1.06 }
  const verdicts = verdictsOf(rows, [
    target,
    { ...target, atMost: 1.05 },
    { ...target, against: 'absent' },
    { ...target, scenario: 'kept-alive' },
    { ...target, contender: 'theirs' },
  ])
  assert.equal(
    verdicts.map(({ atMost, met }) => [atMost, met]),
    [
      [1.06, true],
      [1.05, false],
    ],
  )
})

test('a table is Markdown with its numbers to the right', () => {
  assert.is(
    markdown(
      ['who', 'µs'],
      [
        ['kernel', '48.0'],
        ['ours', '152.8'],
      ],
    ),
    ['| who    |    µs |', '| ------ | ----: |', '| kernel |  48.0 |', '| ours   | 152.8 |'].join('\n'),
  )
})

test.run()
