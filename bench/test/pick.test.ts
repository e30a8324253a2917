// The cases of --micro do what their names say. No figure is asserted.

import { assert, suite } from '../../test/suite.ts'
import { decision, measureCases, microTable, readHead, steering } from '../src/pick.ts'

const test = suite('bench pick')

test('the head is one that a browser sends, and complete', () => {
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

test('every case is measured', () => {
  const rows = measureCases(0.02)
  assert.is(rows.length, 6)
  for (const { name, nsPerOp } of rows) assert.ok(nsPerOp > 0, name)
  assert.is(microTable(rows).split('\n').length, 8)
})

test.run()
