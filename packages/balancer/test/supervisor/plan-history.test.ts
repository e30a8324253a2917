// The supervisor's plan over random histories: a serving worker is never removed before its replacement serves, and the pool always ends as desired.

import fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import { type Deploy, World } from './plan-world.ts'

const test = suite('plan over histories', { timeoutMs: 120_000 })
const HISTORIES = 10_000
const WORKERS = 3

const deploys: readonly Deploy[] = ['good', 'crashes', 'never listens', 'exits soon', 'hangs']
const event = fc.oneof(
  fc.record({ do: fc.constant('reload' as const), deploy: fc.constantFrom(...deploys), workers: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constant('crash' as const), index: fc.nat(5) }),
  fc.record({ do: fc.constant('hang' as const), index: fc.nat(5) }),
  fc.record({ do: fc.constant('retire' as const), index: fc.nat(5) }),
  fc.record({ do: fc.constant('scale' as const), workers: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ do: fc.constant('hold' as const), slot: fc.nat(3) }),
  fc.record({ do: fc.constant('release' as const), slot: fc.nat(3) }),
  fc.record({ do: fc.constant('time' as const), forMs: fc.integer({ min: 100, max: 3000 }) }),
)

function run(events: readonly (typeof event extends fc.Arbitrary<infer E> ? E : never)[]): World {
  const world = new World(WORKERS)
  for (const one of events) {
    if (one.do === 'reload') world.reload(one.deploy, one.workers)
    else if (one.do === 'crash') world.crash(one.index)
    else if (one.do === 'hang') world.hang(one.index)
    else if (one.do === 'retire') world.retire(one.index)
    else if (one.do === 'scale') world.scale(one.workers)
    else if (one.do === 'hold') world.hold(one.slot)
    else if (one.do === 'release') world.desired.held.delete(one.slot)
    else world.settle(one.forMs)
    world.step()
  }
  return world
}

test(`${HISTORIES} random histories: no worker stops before its replacement serves, at most two generations run, and the pool ends as desired`, () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 12 }), (events) => {
      const world = run(events)
      world.settle(40_000)
      assert.equal(world.faults, [])
      assert.ok(world.isAsDesired, `not as desired: ${JSON.stringify(world.workers)}`)
    }),
    { numRuns: HISTORIES },
  )
})

for (const deploy of deploys.filter((one) => one !== 'good')) {
  test(`a reload in which each new worker ${deploy}: the old workers serve on at full strength`, () => {
    const world = new World(WORKERS)
    const before = world.ready.map(({ id }) => id)
    assert.ok(world.reload(deploy, WORKERS))
    for (let steps = 0; steps < 200; steps++) {
      world.nowMs += 100
      world.step()
      assert.equal(
        world.ready.filter(({ generation }) => generation === 0).map(({ id }) => id),
        before,
      )
    }
    assert.ok(world.desired.reverted !== undefined)
    assert.ok(world.isAsDesired)
    assert.equal(world.faults, [])
  })
}

test('a good reload replaces every worker, one slot at a time', () => {
  const world = new World(WORKERS)
  assert.ok(world.reload('good', WORKERS))
  let most = 0
  for (let steps = 0; steps < 200; steps++) {
    world.nowMs += 100
    world.step()
    most = Math.max(most, world.workers.filter(({ state }) => state === 'starting').length)
    assert.ok(world.ready.length >= WORKERS)
  }
  assert.is(most, 1)
  assert.ok(world.isAsDesired)
  assert.ok(world.ready.every(({ generation }) => generation === 1))
  assert.is(world.desired.previous, undefined)
})

test.run()
