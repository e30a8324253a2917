import fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import { type Candidate, type LeastBusyOptions, leastBusy, type Policy, RequestHead } from '../../src/index.ts'
import { busy, candidate, permutations, shortTurns } from '../fixtures.ts'
import { mixedTables } from './policy-contract.ts'

const HEAD = RequestHead.of({ target: '/' })
const test = suite('leastBusy')

const pick = (policy: Policy, list: readonly Candidate[]) => policy.pick(list, HEAD)?.slot
/** Slots 0, 1, 2 … with these latencies, and with these requests in flight if given. */
const withLatencies = (latencies: readonly number[], inFlight: readonly number[] = []) =>
  latencies.map((latencyMs, slot) => candidate(slot, inFlight[slot] ?? 0, { load: { latencyMs } }))

/** How often each slot is chosen in this many picks. */
function countsOf(policy: Policy, list: readonly Candidate[], times: number): number[] {
  const counts = new Array<number>(list.length).fill(0)
  for (let time = 0; time < times; time++) {
    const slot = pick(policy, list) as number
    counts[slot] = (counts[slot] as number) + 1
  }
  return counts
}

const chosen: [why: string, list: Candidate[], slot: number | undefined][] = [
  ['a free loop before a busy one with less in flight', [candidate(0, 1, { load: busy(3) }), candidate(1, 40)], 1],
  ['a free loop before one of short turns', [candidate(0, 0, { load: shortTurns }), candidate(1, 9)], 1],
  ['the fewest in flight of the free', [candidate(0, 2), candidate(1, 1), candidate(2, 0, { load: busy(3) }), candidate(3, 3)], 1],
  ['in proportion to weight', [candidate(0, 3), candidate(1, 5, { weight: 2 }), candidate(2, 30, { weight: 10 })], 1],
  ['then the lowest latency', withLatencies([30, 10, 25], [1, 1, 1]), 1],
  ['fewest in flight before latency', withLatencies([30, 1], [0, 1]), 0],
  ['latency of the contenders only', withLatencies([30, 12, 1, 13], [0, 0, 1, 0]), 1],
  ['nothing is known of its latency: no merit', withLatencies([0, 10, 15]), 0],
  ['and no fault', withLatencies([50, 10, 0]), 1],
  ['no worker when all compute', [candidate(0, 1, { load: busy(3) }), candidate(1, 1, { load: busy(0.1) })], undefined],
  [
    'short turns when no loop waits in the poll',
    [candidate(0, 0, { load: busy(0.1) }), candidate(1, 9, { load: shortTurns }), candidate(2, 8, { load: shortTurns })],
    2,
  ],
  ['a turn of short ones that goes on is no short one', [candidate(0, 9, { load: { ...shortTurns, busyMs: 1 } })], undefined],
  ['as short as they may be', [candidate(0, 9, { load: { isFree: false, busyMs: 0.99, turnWaitMs: 0.49 } })], 0],
  [
    'for longer when its turns are long, of many short requests',
    [candidate(0, 9, { load: { isFree: false, busyMs: 8.9, turnMs: 2, turnWaitMs: 0.1 } })],
    0,
  ],
  ['but not for much longer', [candidate(0, 9, { load: { isFree: false, busyMs: 9, turnMs: 2, turnWaitMs: 0.1 } })], undefined],
  ['and no longer', [candidate(0, 9, { load: { isFree: false, busyMs: 0.99, turnWaitMs: 0.5 } })], undefined],
  ['not received yet what it was sent, and long turns', [candidate(0, 1, { load: busy(0) })], undefined],
]
for (const [why, list, slot] of chosen) {
  test(`chooses ${why}, in every order`, () => {
    for (const order of permutations(list)) assert.is(pick(leastBusy(), order), slot, order.map((one) => one.slot).join())
  })
}

const orders: [name: string, options: LeastBusyOptions][] = [
  ['as it is', {}],
  ['by latency', { latency: true }],
  ['by latency alone', { latency: true, hotAt: 1 }],
]
for (const [name, options] of orders) {
  test(`${name}: the order of the candidates doesn’t count, on 1,000 random histories`, () => {
    const rounds = fc.array(
      mixedTables
        .map((list) => list.filter(({ generation }) => generation === 0))
        .chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
      { minLength: 1, maxLength: 10 },
    )
    fc.assert(
      fc.property(rounds, (history) => {
        const [one, other] = [leastBusy(options), leastBusy(options)]
        for (const [list, shuffled] of history) assert.is(one.pick(list, HEAD), other.pick(shuffled, HEAD))
      }),
      { numRuns: 1000 },
    )
  })
}

test('no other eligible worker has fewer requests in flight, on 1,000 random tables', () => {
  const policy = leastBusy()
  fc.assert(
    fc.property(mixedTables, (list) => {
      const found = policy.pick(list, HEAD)
      const free = list.filter(({ load }) => load.isFree)
      const eligible = free.length > 0 ? free : list.filter(({ load }) => load.turnWaitMs < 0.5 && load.busyMs < 1)
      const costs = eligible.map(({ load, weight }) => (load.inFlight + 1) / (weight || 1e-9))
      if (found === undefined) assert.is(eligible.length, 0)
      else assert.is(costs[eligible.indexOf(found)], Math.min(...costs))
    }),
    { numRuns: 1000 },
  )
})

test('takes turns among latencies that are within a factor of 2 of the lowest, or below 2 ms', () => {
  const turns = (latencies: number[]) => {
    const policy = leastBusy()
    return Array.from(latencies, () => pick(policy, withLatencies(latencies)))
  }
  assert.equal(turns([10, 19, 20, 15]), [0, 1, 3, 0])
  assert.equal(turns([0.1, 1.9, 0.4, 2]), [0, 1, 2, 0])
  assert.equal(turns([0, 0, 0, 0]), [0, 1, 2, 3])
})

test('takes turns among loops of short turns too', () => {
  const policy = leastBusy()
  const list = [0, 1, 2].map((slot) => candidate(slot, 5, { load: shortTurns }))
  assert.equal(
    Array.from({ length: 6 }, () => pick(policy, list)),
    [0, 1, 2, 0, 1, 2],
  )
})

test('one choice in 32 goes to a slow worker, in turn, so that its latency is measured again', () => {
  for (const order of permutations(withLatencies([10, 10, 100, 500]))) {
    const policy = leastBusy()
    assert.equal(countsOf(policy, order, 31).slice(2), [0, 0])
    assert.is(pick(policy, order), 2)
    assert.equal(countsOf(policy, order, 31).slice(2), [0, 0])
    assert.is(pick(policy, order), 3)
  }
})

test('by latency: the quickest of the workers that are not hot', () => {
  const cases: [latencies: number[], inFlight: number[], slot: number][] = [
    [[40, 10, 30, 20], [0, 0, 0, 0], 1],
    // Hot, however quick.
    [[40, 10, 30, 20], [0, 1, 0, 0], 3],
    [[40, 10, 30, 20], [3, 9, 4, 8], 3],
    [[40, 10, 30, 20], [3, 9, 4, 9], 1],
    // Alike: fewest in flight.
    [[40, 10, 12, 30], [5, 5, 4, 6], 2],
    // Of two, one is hot unless they have the same.
    [[10, 40], [1, 0], 1],
    [[40, 10], [1, 1], 1],
  ]
  for (const [latencies, inFlight, slot] of cases) {
    for (const order of permutations(withLatencies(latencies, inFlight)))
      assert.is(pick(leastBusy({ latency: true }), order), slot, `${latencies} with ${inFlight}`)
  }
})

test('by latency: with hotAt 1 no worker is hot, with hotAt 0 all but the least loaded are', () => {
  const list = withLatencies([40, 10], [0, 50])
  assert.is(pick(leastBusy({ latency: true, hotAt: 1 }), list), 1)
  assert.is(pick(leastBusy({ latency: true, hotAt: 0 }), list), 0)
})

test('by latency: busy loops are ignored', () => {
  const list = [...withLatencies([40, 50]), candidate(2, 0, { load: { ...busy(5), latencyMs: 1 } })]
  assert.is(pick(leastBusy({ latency: true }), list), 0)
})

/** Simulates workers that serve one request of `ms` after another, and requests at fixed times; returns how many each worker gets. */
function shares(policy: Policy, serviceMs: readonly number[], everyMs: number, requests: number): number[] {
  const ends: number[][] = serviceMs.map(() => [])
  const latencies = serviceMs.map(() => 0)
  const counts = serviceMs.map(() => 0)
  for (let request = 0; request < requests; request++) {
    const now = request * everyMs
    const list = serviceMs.map((_, slot) => {
      const open = (ends[slot] as number[]).filter((end) => end > now)
      if (open.length < (ends[slot] as number[]).length) latencies[slot] = serviceMs[slot] as number
      ends[slot] = open
      return candidate(slot, open.length, { load: { latencyMs: latencies[slot] as number } })
    })
    const slot = pick(policy, list) as number
    counts[slot] = (counts[slot] as number) + 1
    ;(ends[slot] as number[]).push(now + (serviceMs[slot] as number))
  }
  return counts
}

test('a slow worker gets fewer requests, and fewest by latency, in any slot', () => {
  for (const serviceMs of permutations([20, 20, 20, 200])) {
    const slow = serviceMs.indexOf(200)
    const [plain, byLatency] = [leastBusy(), leastBusy({ latency: true })].map(
      (policy) => shares(policy, serviceMs, 5, 4000)[slow] as number,
    )
    assert.ok((plain as number) < 400, `${plain} of 4,000`)
    assert.ok((byLatency as number) < 200 && (byLatency as number) > 0, `${byLatency} of 4,000`)
  }
})

test('by latency: equal workers get about the same under load', () => {
  const counts = shares(leastBusy({ latency: true }), [20, 20, 20, 20], 2, 4000)
  for (const count of counts) assert.ok(count > 900 && count < 1100, `${counts}`)
})

test('explains itself', () => {
  const explained: [list: Candidate[], text: string][] = [
    [[], 'no worker is free'],
    [[candidate(0, 2), candidate(1, 1)], 'least busy: slot 1 with 1'],
    [withLatencies([25.4, 2.04]), 'least busy: slot 1 with 0, and quicker than others (2 ms)'],
    [[candidate(0, 7, { load: shortTurns })], 'least busy: slot 0 with 7, busy in short turns (0.1 ms)'],
    [[candidate(0, 1, { load: busy(1.26) })], 'no worker is free: the only loop is busy, slot 0 for 1.3 ms'],
    [
      [candidate(0, 1, { load: busy(3) }), candidate(1, 1, { load: busy(51.4) })],
      'no worker is free: all 2 loops are busy, slot 1 for 51 ms',
    ],
  ]
  for (const [list, text] of explained) assert.is(leastBusy().explain?.(list, HEAD), text)
  const policy = leastBusy()
  const list = withLatencies([1, 90])
  countsOf(policy, list, 31)
  assert.is(policy.explain?.(list, HEAD), 'least busy: slot 1 with 0, to measure whether it is still slow')
})

test('refuses invalid options', () => {
  for (const hotAt of [-0.1, 1.1, Number.NaN])
    assert.throws(() => leastBusy({ latency: true, hotAt }), /hotAt: expected a number from 0 to 1/)
  assert.throws(() => leastBusy({ hotAt: 0.5 }), /hotAt: only with latency: true/)
})

test.run()
