// The table of sessions, with the time set by the test.

import fc from 'fast-check'
import { assert, suite } from '../../../test/suite.ts'
import { SessionTable, type SessionTableLimits } from '../src/session-table.ts'

const test = suite('session table')

const limits: SessionTableLimits = { maxSessions: 3, maxBytes: 1000, tombstoneMs: 50 }

function filled(ids: readonly string[], text = 'text'): { table: SessionTable; evicted: string[] } {
  const evicted: string[] = []
  const table = new SessionTable(limits, (id) => evicted.push(id))
  for (const id of ids) table.write(id, text, 100, undefined, 0)
  return { table, evicted }
}

test('beyond maxSessions the least recently used session is evicted; reads, writes and touches are uses', () => {
  const { table, evicted } = filled(['a', 'b', 'c'])
  table.read('a', undefined, 1)
  table.touch('b', 100, 1)
  table.write('d', 'text', 100, undefined, 1)
  assert.equal(evicted, ['c'])
  table.write('a', 'text', 100, undefined, 1)
  table.write('e', 'text', 100, undefined, 1)
  assert.equal(evicted, ['c', 'b'])
  assert.is(table.evicted, 2)
  assert.is(table.size, 3)
})

test('beyond maxBytes too; the session written last stays, whatever its size', () => {
  const { table, evicted } = filled(['a', 'b', 'c'], 'é'.repeat(150))
  assert.is(table.bytes, 900)
  table.write('a', 'x'.repeat(400), 100, undefined, 0)
  assert.equal(evicted, [])
  assert.is(table.bytes, 1000)
  table.write('c', 'x'.repeat(301), 100, undefined, 0)
  assert.equal(evicted, ['b'])
  table.write('a', 'x'.repeat(5000), 100, undefined, 0)
  assert.equal(evicted, ['b', 'c'])
  assert.is(table.bytes, 5000)
})

test('expired rows are swept, a few at a time', () => {
  const { table } = filled(['a', 'b', 'c'])
  table.destroy('a', undefined, 10)
  assert.equal([table.size, table.tombstoneCount], [2, 1])
  table.sweep(1, 59)
  assert.equal([table.size, table.tombstoneCount], [2, 1])
  table.sweep(1, 60)
  assert.equal([table.size, table.tombstoneCount], [2, 0])
  for (let round = 0; round < 4; round++) table.sweep(1, 100)
  assert.equal([table.size, table.expired, table.bytes], [0, 2, 0])
})

test('tombstones are bounded: the oldest is dropped, and counted', () => {
  const { table } = filled([])
  for (const id of ['a', 'b', 'c', 'd']) table.destroy(id, undefined, 0)
  assert.equal([table.tombstoneCount, table.tombstonesDropped], [3, 1])
  assert.is(table.write('a', 'text', 100, undefined, 1).state, 'written')
  assert.is(table.write('b', 'text', 100, undefined, 1).state, 'ended')
})

test('destroying a session again extends its tombstone', () => {
  const { table } = filled(['a'])
  table.destroy('a', undefined, 0)
  table.destroy('a', undefined, 40)
  assert.is(table.read('a', undefined, 89).state, 'ended')
  assert.is(table.read('a', undefined, 90).state, 'absent')
})

test('smaller limits take effect at once', () => {
  const { table, evicted } = filled(['a', 'b', 'c'])
  table.configure({ ...limits, maxSessions: 1 })
  assert.equal(evicted, ['a', 'b'])
})

test('all rows can be copied to another table, with their remaining time; versions continue there', () => {
  const { table } = filled(['a', 'b', 'c'])
  table.destroy('b', undefined, 10)
  const version = (table.write('c', 'newer', 100, undefined, 20) as { version: number }).version
  const { table: other } = filled([])
  for (const entry of table.entries(30)) other.restore(entry, 1000)
  assert.equal(other.read('a', undefined, 1000), { state: 'kept', version: 1, text: 'text', ttlMs: 70 })
  assert.equal(other.read('c', version, 1000), { state: 'same', ttlMs: 90 })
  assert.is(other.read('b', undefined, 1029).state, 'ended')
  assert.is(other.read('b', undefined, 1030).state, 'absent')
  assert.ok((other.write('a', 'text', 100, undefined, 1030) as { version: number }).version > version)
})

test('a row of another table does not replace a newer version or a tombstone', () => {
  const { table } = filled(['a', 'b'])
  table.restore({ id: 'b', version: 1, text: 'old', ttlMs: 100 }, 0)
  assert.is((table.read('b', undefined, 0) as { text: string }).text, 'text')
  table.restore({ id: 'b', version: 9, text: 'new', ttlMs: 100 }, 0)
  assert.is((table.read('b', undefined, 0) as { text: string }).text, 'new')
  table.destroy('a', undefined, 0)
  table.restore({ id: 'a', version: 10, text: 'new', ttlMs: 100 }, 0)
  assert.is(table.read('a', undefined, 0).state, 'ended')
  table.restore({ id: 'b', endedForMs: 20 }, 0)
  assert.is(table.read('b', undefined, 0).state, 'ended')
})

test('bounds and sums hold after any sequence of operations', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const step = fc.record({
    what: fc.constantFrom('read', 'write', 'expect', 'touch', 'destroy', 'sweep'),
    id,
    size: fc.nat(500),
    laterMs: fc.nat(40),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const table = new SessionTable(limits)
      const ended = new Map<string, number>()
      let nowMs = 0
      for (const { what, id, size, laterMs } of steps) {
        nowMs += laterMs
        const isEnded = nowMs < (ended.get(id) ?? 0)
        if (what === 'read') assert.is(table.read(id, undefined, nowMs).state === 'ended', isEnded)
        if (what === 'write') assert.is(table.write(id, 'x'.repeat(size), 60, undefined, nowMs).state === 'ended', isEnded)
        if (what === 'expect') assert.is(table.write(id, 'x'.repeat(size), 60, 0, nowMs).state === 'ended', isEnded)
        if (what === 'touch' && table.touch(id, 60, nowMs)) assert.is(isEnded, false)
        if (what === 'destroy') {
          table.destroy(id, undefined, nowMs)
          if (table.tombstonesDropped > 0) return
          ended.set(id, nowMs + limits.tombstoneMs)
        }
        if (what === 'sweep') table.sweep(2, nowMs)
        assert.ok(table.size <= limits.maxSessions && table.tombstoneCount <= limits.maxSessions)
        assert.ok(table.bytes <= limits.maxBytes)
        const known = [...table.entries(Number.NEGATIVE_INFINITY)].reduce((sum, row) => sum + ('text' in row ? row.text.length : 0), 0)
        assert.is(table.bytes, known)
      }
    }),
  )
})

test.run()
