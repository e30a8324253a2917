// The visitor table: the first slot keeps a visitor for as long as it has a ready worker, within bounds of number and age.

import { visitorKey } from '@switchyard/routing'
import { assert, suite } from '../../../../test/suite.ts'
import { type VisitorEntry, VisitorTable, type VisitorTableOptions } from '../../src/visitors/visitor-table.ts'

const test = suite('visitor table')
const TTL = 1000
const keyOf = (value: string) => visitorKey('sid', value)

function tableWith(changes: Partial<VisitorTableOptions> = {}) {
  const announced: VisitorEntry[] = []
  const empty = new Set<number>()
  let now = 0
  const table = new VisitorTable({
    maxEntries: 100,
    ttlMs: TTL,
    now: () => now,
    isHeld: (_pool, slot) => !empty.has(slot),
    ...changes,
  })
  table.subscribe((entry) => announced.push(entry))
  const pass = (ms: number) => {
    now += ms
  }
  return { table, announced, empty, pass, slotOf: (value: string, pool = 'web') => table.slotOf(pool, 'sid', value) }
}

test('a visitor belongs to the slot that learned it, in that pool only', () => {
  const { table, announced, slotOf } = tableWith()
  table.learn('web', 2, [keyOf('alice'), keyOf('bob')])
  table.learn('heavy', 0, [keyOf('alice')])
  assert.equal([slotOf('alice'), slotOf('bob'), slotOf('carol')], [2, 2, undefined])
  assert.is(slotOf('alice', 'heavy'), 0)
  assert.is(slotOf('bob', 'heavy'), undefined)
  assert.equal(announced[0], { pool: 'web', key: keyOf('alice'), slot: 2 })
  assert.equal([announced.length, table.status().learned, table.status().kept], [3, 3, 3])
})

test('another slot gets the visitor only when the first one has no ready worker', () => {
  const { table, announced, empty, slotOf } = tableWith()
  table.learn('web', 2, [keyOf('alice')])
  table.learn('web', 1, [keyOf('alice')])
  assert.is(slotOf('alice'), 2)
  empty.add(2)
  table.learn('web', 1, [keyOf('alice')])
  assert.is(slotOf('alice'), 1)
  empty.delete(2)
  table.learn('web', 2, [keyOf('alice')])
  assert.is(slotOf('alice'), 1)
  assert.equal([announced.map(({ slot }) => slot), table.status().learned, table.status().moved], [[2, 1], 1, 1])
})

test('an entry expires when its visitor sends no request for the whole TTL', () => {
  const { table, pass, slotOf } = tableWith()
  table.learn('web', 2, [keyOf('alice'), keyOf('bob')])
  pass(TTL - 1)
  assert.is(slotOf('alice'), 2)
  pass(1)
  assert.is(slotOf('bob'), undefined)
  pass(TTL - 2)
  assert.is(slotOf('alice'), 2)
  pass(TTL)
  assert.equal(table.status(), { kept: 0, learned: 2, moved: 0, evicted: 0, expired: 2 })
})

test('a full table evicts the visitor whose last request is oldest', () => {
  const { table, slotOf } = tableWith({ maxEntries: 3 })
  for (const value of ['a', 'b', 'c']) table.learn('web', 1, [keyOf(value)])
  assert.is(slotOf('a'), 1)
  table.learn('web', 1, [keyOf('d')])
  assert.equal(
    ['a', 'b', 'c', 'd'].map((value) => slotOf(value)),
    [1, undefined, 1, 1],
  )
  assert.equal([table.status().kept, table.status().evicted], [3, 1])
  table.configure({ maxEntries: 1, ttlMs: TTL })
  assert.equal([table.status().kept, slotOf('d')], [1, 1])
})

test('an entry in use is announced again after half of the TTL', () => {
  const { table, announced, pass, slotOf } = tableWith()
  table.learn('web', 2, [keyOf('alice')])
  pass(TTL / 2 - 1)
  slotOf('alice')
  assert.is(announced.length, 1)
  pass(1)
  slotOf('alice')
  slotOf('alice')
  assert.is(announced.length, 2)
})

test('an entry of another primary replaces the own one and is not announced', () => {
  const { table, announced, pass, slotOf } = tableWith()
  table.receive({ pool: 'web', key: keyOf('alice'), slot: 4 })
  assert.is(slotOf('alice'), 4)
  table.receive({ pool: 'web', key: keyOf('alice'), slot: 5 })
  assert.is(slotOf('alice'), 5)
  assert.equal([announced.length, table.status().learned], [0, 0])
  pass(TTL / 2)
  slotOf('alice')
  assert.is(announced.length, 1)
})

test('impossible values are ignored', () => {
  const { table } = tableWith()
  for (const slot of [-1, 1.5, 65_536, Number.NaN]) table.receive({ pool: 'web', key: keyOf('alice'), slot })
  table.receive({ pool: 'web', key: 'short', slot: 0 })
  assert.is(table.status().kept, 0)
})

test('the entries build an equal table in another primary', () => {
  const { table } = tableWith()
  table.learn('web', 2, [keyOf('alice')])
  table.learn('heavy-jobs', 7, [keyOf('bob')])
  const entries = [...table.entries()]
  assert.equal(entries, [
    { pool: 'web', key: keyOf('alice'), slot: 2 },
    { pool: 'heavy-jobs', key: keyOf('bob'), slot: 7 },
  ])
  const other = tableWith()
  for (const entry of JSON.parse(JSON.stringify(entries))) other.table.receive(entry)
  assert.equal([other.slotOf('alice'), other.slotOf('bob', 'heavy-jobs')], [2, 7])
})

test.run()
