// The contract of every policy. Each policy's tests run it with a factory: `takesTurns: false` for a policy that prefers one candidate on a tie,
// `leastLoaded: true` for one that promises the lowest load for its weight.

import fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import { type Candidate, type Load, type Policy, RequestHead } from '../../src/index.ts'
import { busy, candidate, candidates, permutations, shortTurns } from '../fixtures.ts'

export interface PolicyPromises {
  readonly takesTurns: boolean
  readonly leastLoaded: boolean
}

const HEADS = [
  RequestHead.addressOnly(),
  RequestHead.of({ target: '/' }),
  RequestHead.of({ target: '/a?sid=x', headers: { cookie: 'key=alice; switchyard-web=x' } }),
]

/** Random candidates: slots in any order, at most one worker per slot and generation, all loops free. */
export const tables = tablesOf(fc.constant({}))

/** The same with loops that are free, busy, or busy in short turns, at different latencies. */
export const mixedTables = tablesOf(
  fc
    .tuple(fc.constantFrom({}, {}, busy(0.2), busy(5), busy(2000), shortTurns), fc.constantFrom(0, 0.3, 2, 3, 5, 200))
    .map(([loop, latencyMs]) => ({ ...loop, latencyMs })),
)

function tablesOf(loads: fc.Arbitrary<Partial<Load>>): fc.Arbitrary<Candidate[]> {
  const row = fc.record({
    slot: fc.nat(15),
    generation: fc.nat(1),
    inFlight: fc.oneof(fc.nat(3), fc.nat(200)),
    weight: fc.constantFrom(0, 0.5, 1, 1, 1, 3, 100),
    load: loads,
  })
  return fc
    .uniqueArray(row, { maxLength: 16, selector: ({ slot, generation }) => `${slot}/${generation}` })
    .map((rows) => rows.map(({ slot, inFlight, ...more }) => candidate(slot, inFlight, more)))
}

export function policyContract(name: string, make: () => Policy, promises: PolicyPromises): void {
  const test = suite(`policy contract: ${name}`)

  test('chooses no worker without candidates', () => {
    for (const head of HEADS) assert.is(make().pick([], head), undefined)
  })

  test('chooses the only candidate', () => {
    for (const head of HEADS) {
      for (const inFlight of [0, 1, 500]) {
        const only = candidate(5, inFlight)
        assert.is(make().pick([only], head), only)
      }
    }
  })

  test('chooses one of the candidates, on 1,000 random tables', () => {
    const policy = make()
    fc.assert(
      fc.property(tables, fc.constantFrom(...HEADS), (list, head) => {
        const before = structuredClone(list)
        const chosen = policy.pick(list, head)
        assert.equal(list, before, 'candidates are not changed')
        assert.ok(list.length === 0 ? chosen === undefined : list.includes(chosen as Candidate))
        policy.explain?.(list, head)
        for (const worker of list) assert.type(policy.stays?.(worker, head) ?? true, 'boolean')
      }),
      { numRuns: 1000 },
    )
  })

  test('chooses none of several candidates only with waitsForLoop and when no loop is free, on 1,000 random tables', () => {
    const policy = make()
    fc.assert(
      fc.property(mixedTables, fc.constantFrom(...HEADS), (list, head) => {
        const chosen = policy.pick(list, head)
        if (chosen !== undefined) assert.ok(list.includes(chosen))
        else assert.ok(list.length === 0 || (policy.waitsForLoop === true && list.every(({ load }) => !load.isFree)))
      }),
      { numRuns: 1000 },
    )
    const loops = [candidate(0, 1, { load: busy(50) }), candidate(1, 1, { load: busy(90) })]
    assert.is(policy.pick(loops, HEADS[0] as RequestHead) === undefined, policy.waitsForLoop === true)
  })

  test('explain changes no state', () => {
    const [told, quiet] = [make(), make()]
    for (let round = 0; round < 20; round++) {
      const list = candidates(1, 1, 2, 1)
      told.explain?.(list, HEADS[1] as RequestHead)
      assert.is(told.pick(list, HEADS[1] as RequestHead)?.slot, quiet.pick(list, HEADS[1] as RequestHead)?.slot)
    }
  })

  if (promises.takesTurns) {
    test('takes turns on a tie, in whatever order the candidates come', () => {
      for (const order of permutations([0, 1, 2, 3])) {
        const policy = make()
        const list = order.map((slot) => candidate(slot, 2))
        for (let round = 0; round < 3; round++) {
          const chosen = list.map(() => policy.pick(list, HEADS[1] as RequestHead)?.slot)
          assert.equal(new Set(chosen).size, 4, `${order}: ${chosen}`)
        }
      }
    })
  }

  if (promises.leastLoaded) {
    test('chooses the least loaded in every permutation of loads', () => {
      const policy = make()
      for (const loads of permutations([0, 3, 7, 8, 20])) {
        assert.is(policy.pick(candidates(...loads), HEADS[1] as RequestHead)?.load.inFlight, 0, `${loads}`)
      }
    })

    test('chooses the least load for its weight, on 1,000 random tables', () => {
      const policy = make()
      fc.assert(
        fc.property(tables, (list) => {
          const positive = list.filter(({ weight }) => weight > 0)
          const chosen = policy.pick(positive, HEADS[1] as RequestHead)
          const costs = positive.map(({ load, weight }) => (load.inFlight + 1) / weight)
          return chosen === undefined || (chosen.load.inFlight + 1) / chosen.weight === Math.min(...costs)
        }),
        { numRuns: 1000 },
      )
    })
  }

  test.run()
}
