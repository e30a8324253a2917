// The cases of --micro do what their names say. No figure is asserted.

import type { Candidate } from '../../packages/routing/dist/index.js'
import { assert, suite } from '../../test/suite.ts'
import { decision, measureCases, microTable, readHead, steering } from '../src/pick.ts'
import { boardCandidates, pickTarget, pickVerdicts, policyCases } from '../src/policy-cases.ts'

const test = suite('bench pick')

test('the head is that of a browser, and complete', () => {
  const head = readHead()
  assert.is(head.outcome, 'complete')
  assert.not(head.ambiguous)
  assert.is(head.host, 'shop.example.com')
  assert.is(head.cookie('theme'), 'dark')
})

test('a decision tries all routes and chooses a worker', () => {
  for (const routes of [1, 50]) {
    const { table, decide } = decision(routes, 64)
    assert.is(table.find(readHead()), table.routes.at(-1))
    assert.is(decide()?.load.inFlight, 0)
  }
})

test('a request that stays finds the same route by its parsed parts', () => {
  const { table, steer } = steering(50)
  assert.is(steer(), table.routes.at(-1))
})

test('a policy picks among candidates whose rows are words of memory, and meets its target or not', () => {
  for (const count of [4, 64, 1_024]) {
    const candidates = boardCandidates(count)
    assert.is(new Set(candidates.map(({ load }) => load.inFlight)).size > 1, true)
    assert.is(candidates.filter(({ load }) => load.isFree).length, count / 2)
  }
  const cases = policyCases(readHead(), ['round-robin', 'least-in-flight', 'none-such'])
  assert.equal(
    cases.map(({ name }) => name),
    ['round-robin', 'least-in-flight'].flatMap((policy) => [4, 64, 1024].map((count) => `pick by ${policy} (${count} candidates)`)),
  )
  const chosen = cases.at(-1)?.run() as Candidate
  assert.is(chosen.load.inFlight, 0)
  const row = { name: pickTarget.scenario, batches: 5, reads: false }
  assert.equal(
    pickVerdicts([{ ...row, nsPerOp: 1000 }]).map(({ measured, met }) => [measured, met]),
    [[1, true]],
  )
  assert.not(pickVerdicts([{ ...row, nsPerOp: 1001 }])[0]?.met)
  assert.equal(pickVerdicts([{ ...row, name: 'pick by another', nsPerOp: 1 }]), [])
})

test('every case is measured', () => {
  const rows = measureCases(0.02)
  const picks = rows.filter(({ name }) => name.startsWith('pick by')).length
  assert.ok(picks >= 3 && picks % 3 === 0, `${picks} picks`)
  assert.is(rows.length, 6 + picks)
  for (const { name, nsPerOp } of rows) assert.ok(nsPerOp > 0, name)
  assert.is(microTable(rows).split('\n').length, rows.length + 2)
})

test.run()
