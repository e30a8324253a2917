import { assert, suite } from '../../../test/suite.ts'
import { hashKey, rendezvous } from '../src/rendezvous.ts'
import { candidate, candidates } from './fixtures.ts'

const test = suite('rendezvous')

const KEYS: Record<string, string[]> = {
  numbers: Array.from({ length: 10_000 }, (_, index) => `${index}`),
  users: Array.from({ length: 10_000 }, (_, index) => `user-${index}@example.com`),
  addresses: Array.from({ length: 10_000 }, (_, index) => `10.0.${index >> 8}.${index & 255}`),
}

function slotsOf(keys: string[], slots: { slot: number; weight: number }[], seed = ''): number[] {
  return keys.map((key) => rendezvous(hashKey(key, seed), slots)?.slot ?? -1)
}

test('removing one of 8 slots moves exactly its own share of 10,000 keys, and its replacement gets them back', () => {
  const eight = candidates(0, 0, 0, 0, 0, 0, 0, 0)
  for (const keys of Object.values(KEYS)) {
    const before = slotsOf(keys, eight)
    for (let killed = 0; killed < 8; killed++) {
      const during = slotsOf(keys, eight.toSpliced(killed, 1))
      for (const [index, slot] of before.entries()) {
        if (slot === killed) assert.is.not(during[index], killed)
        else assert.is(during[index], slot)
      }
      const share = during.filter((_, index) => before[index] === killed)
      assert.is(new Set(share).size, 7, 'its share is spread over all the others')
    }
    const replaced = eight.map((worker) => (worker.slot === 3 ? candidate(3, 0, { generation: 9 }) : worker)).reverse()
    assert.equal(slotsOf(keys, replaced), before)
  }
})

test('slots have even shares, within a few percent', () => {
  for (const size of [2, 3, 8, 32]) {
    for (const [name, keys] of Object.entries(KEYS)) {
      const counts = new Array<number>(size).fill(0)
      for (const slot of slotsOf(keys, candidates(...counts))) counts[slot] = (counts[slot] ?? 0) + 1
      const mean = keys.length / size
      // Chance alone gives a deviation of the square root of the mean; four of them is one in 16,000.
      for (const count of counts) assert.ok(Math.abs(count - mean) < 4 * Math.sqrt(mean), `${name} over ${size}: ${counts}`)
    }
  }
})

test('shares are in proportion to weight', () => {
  const slots = [candidate(0, 0, { weight: 1 }), candidate(1, 0, { weight: 2 }), candidate(2, 0, { weight: 5 })]
  for (const keys of Object.values(KEYS)) {
    const counts = [0, 0, 0]
    for (const slot of slotsOf(keys, slots)) counts[slot] = (counts[slot] ?? 0) + 1
    for (const [slot, expected] of [1250, 2500, 6250].entries()) {
      assert.ok(Math.abs((counts[slot] ?? 0) - expected) < 4 * Math.sqrt(expected), `${counts}`)
    }
  }
})

test('another seed maps the keys differently', () => {
  const keys = KEYS.users as string[]
  const eight = candidates(0, 0, 0, 0, 0, 0, 0, 0)
  const [one, other] = [slotsOf(keys, eight, 'one'), slotsOf(keys, eight, 'other')]
  const same = one.filter((slot, index) => slot === other[index]).length
  assert.ok(Math.abs(same - 1250) < 150, `${same}`)
})

test('chooses nothing of nothing, the newer generation of one slot, and the next when one is not allowed', () => {
  const key = hashKey('alice', '')
  assert.is(rendezvous(key, []), undefined)
  const [old, recent] = [candidate(1, 0, { generation: 1 }), candidate(1, 0, { generation: 2 })]
  assert.is(rendezvous(key, [old, recent]), recent)
  assert.is(rendezvous(key, [recent, old]), recent)
  const list = candidates(0, 0, 0)
  const first = rendezvous(key, list)
  const second = rendezvous(key, list, (worker) => worker !== first)
  assert.is(
    second,
    rendezvous(
      key,
      list.filter((worker) => worker !== first),
    ),
  )
  assert.is(
    rendezvous(key, list, () => false),
    undefined,
  )
})

test.run()
