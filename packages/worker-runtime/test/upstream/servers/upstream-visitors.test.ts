import { visitorKey } from '@switchyard/routing'
import { assert, suite } from '../../../../../test/suite.ts'
import { UpstreamVisitors } from '../../../src/upstream/servers/upstream-visitors.ts'

const test = suite('upstream visitors')

function world() {
  const clock = { ms: 0 }
  const serving = new Set([0, 1])
  const learned: string[] = []
  const visitors = new UpstreamVisitors({
    ...{ pool: 'up', maxEntries: 2, ttlMs: 100, now: () => clock.ms, serves: (slot) => serving.has(slot) },
    onLearned: (slot, keys) => learned.push(`${slot} ${keys.length}`),
  })
  const give = (slot: number, value: string): void => visitors.learn(slot, ['id'], ['Set-Cookie', `id=${value}; Path=/`, 'X-Other', 'id=9'])
  return { clock, serving, learned, visitors, give, slotOf: (value: string) => visitors.slotOf('up', 'id', value) }
}

test('the first server keeps a visitor while it serves', () => {
  const { serving, learned, give, slotOf } = world()
  give(0, 'a')
  give(1, 'a')
  assert.is(slotOf('a'), 0)
  serving.delete(0)
  give(1, 'a')
  assert.is(slotOf('a'), 1)
  assert.equal(learned, ['0 1', '1 1'])
})

test('other pools, unknown visitors and removed cookies have no slot', () => {
  const { visitors, give, slotOf } = world()
  give(0, '')
  assert.equal([slotOf(''), slotOf('b'), visitors.size], [undefined, undefined, 0])
  give(0, 'a')
  assert.is(visitors.slotOf('other', 'id', 'a'), undefined)
})

test('entries end some time after the last request, are said again half-way, and are bounded', () => {
  const { clock, learned, visitors, give, slotOf } = world()
  give(0, 'a')
  clock.ms = 60
  assert.is(slotOf('a'), 0)
  assert.equal(learned, ['0 1', '0 1'])
  clock.ms = 150
  assert.is(slotOf('a'), 0)
  clock.ms = 260
  assert.is(slotOf('a'), undefined)
  visitors.receive(
    1,
    ['b', 'c', 'd'].map((value) => visitorKey('id', value)),
  )
  assert.equal([visitors.size, slotOf('b'), slotOf('d')], [2, undefined, 1])
})

test.run()
