// Where visitors belong: who has told of them first, for as long as there is a worker in that slot; bounded in number and time.

import { visitorKey } from '@switchyard/routing'
import { assert, suite } from '../../../../test/suite.ts'
import { type VisitorEntry, VisitorTable, type VisitorTableOptions } from '../../src/visitors/visitor-table.ts'

const test = suite('learned')
const TTL = 1000
const keyOf = (value: string) => visitorKey('sid', value)

function tableWith(changes: Partial<VisitorTableOptions> = {}) {
  const told: VisitorEntry[] = []
  const empty = new Set<number>()
  let now = 0
  const learned = new VisitorTable({
    maxEntries: 100,
    ttlMs: TTL,
    now: () => now,
    isHeld: (_pool, slot) => !empty.has(slot),
    onLearned: (entry) => told.push(entry),
    ...changes,
  })
  const pass = (ms: number) => {
    now += ms
  }
  return { learned, told, empty, pass, slotOf: (value: string, pool = 'web') => learned.slotOf(pool, 'sid', value) }
}

test('a visitor belongs to the slot that has told of it, in its own pool only', () => {
  const { learned, told, slotOf } = tableWith()
  learned.learn('web', 2, [keyOf('alice'), keyOf('bob')])
  learned.learn('heavy', 0, [keyOf('alice')])
  assert.equal([slotOf('alice'), slotOf('bob'), slotOf('carol')], [2, 2, undefined])
  assert.is(slotOf('alice', 'heavy'), 0)
  assert.is(slotOf('bob', 'heavy'), undefined)
  assert.equal(told[0], { pool: 'web', key: keyOf('alice'), slot: 2 })
  assert.equal([told.length, learned.status().learned, learned.status().kept], [3, 3, 3])
})

test('another that tells of it changes nothing while the first slot has a worker, and has it when that has none', () => {
  const { learned, told, empty, slotOf } = tableWith()
  learned.learn('web', 2, [keyOf('alice')])
  learned.learn('web', 1, [keyOf('alice')])
  assert.is(slotOf('alice'), 2)
  empty.add(2)
  learned.learn('web', 1, [keyOf('alice')])
  assert.is(slotOf('alice'), 1)
  empty.delete(2)
  learned.learn('web', 2, [keyOf('alice')])
  assert.is(slotOf('alice'), 1)
  assert.equal([told.map(({ slot }) => slot), learned.status().learned, learned.status().moved], [[2, 1], 1, 1])
})

test('who comes is known on, who does not is forgotten', () => {
  const { learned, pass, slotOf } = tableWith()
  learned.learn('web', 2, [keyOf('alice'), keyOf('bob')])
  pass(TTL - 1)
  assert.is(slotOf('alice'), 2)
  pass(1)
  assert.is(slotOf('bob'), undefined)
  pass(TTL - 2)
  assert.is(slotOf('alice'), 2)
  pass(TTL)
  assert.equal(learned.status(), { kept: 0, learned: 2, moved: 0, evicted: 0, expired: 2 })
})

test('beyond the bound whoever has not come for longest is forgotten', () => {
  const { learned, slotOf } = tableWith({ maxEntries: 3 })
  for (const value of ['a', 'b', 'c']) learned.learn('web', 1, [keyOf(value)])
  assert.is(slotOf('a'), 1)
  learned.learn('web', 1, [keyOf('d')])
  assert.equal(
    ['a', 'b', 'c', 'd'].map((value) => slotOf(value)),
    [1, undefined, 1, 1],
  )
  assert.equal([learned.status().kept, learned.status().evicted], [3, 1])
  learned.configure({ maxEntries: 1, ttlMs: TTL })
  assert.equal([learned.status().kept, slotOf('d')], [1, 1])
})

test('others hear of it once more when half of its time is over and it still comes', () => {
  const { learned, told, pass, slotOf } = tableWith()
  learned.learn('web', 2, [keyOf('alice')])
  pass(TTL / 2 - 1)
  slotOf('alice')
  assert.is(told.length, 1)
  pass(1)
  slotOf('alice')
  slotOf('alice')
  assert.is(told.length, 2)
})

test('what another primary knows is taken over, and nobody is told of it again', () => {
  const { learned, told, pass, slotOf } = tableWith()
  learned.receive({ pool: 'web', key: keyOf('alice'), slot: 4 })
  assert.is(slotOf('alice'), 4)
  learned.receive({ pool: 'web', key: keyOf('alice'), slot: 5 })
  assert.is(slotOf('alice'), 5)
  assert.equal([told.length, learned.status().learned], [0, 0])
  pass(TTL / 2)
  slotOf('alice')
  assert.is(told.length, 1)
})

test('what makes no sense is passed over', () => {
  const { learned } = tableWith()
  for (const slot of [-1, 1.5, 65_536, Number.NaN]) learned.receive({ pool: 'web', key: keyOf('alice'), slot })
  learned.receive({ pool: 'web', key: 'short', slot: 0 })
  assert.is(learned.status().kept, 0)
})

test('its entries make the same table elsewhere', () => {
  const { learned } = tableWith()
  learned.learn('web', 2, [keyOf('alice')])
  learned.learn('heavy-jobs', 7, [keyOf('bob')])
  const entries = [...learned.entries()]
  assert.equal(entries, [
    { pool: 'web', key: keyOf('alice'), slot: 2 },
    { pool: 'heavy-jobs', key: keyOf('bob'), slot: 7 },
  ])
  const other = tableWith()
  for (const entry of JSON.parse(JSON.stringify(entries))) other.learned.receive(entry)
  assert.equal([other.slotOf('alice'), other.slotOf('bob', 'heavy-jobs')], [2, 7])
})

test.run()
