// Sharing of the visitor table with other balancers, over a fake of the shared table.

import { visitorKey } from '@switchyard/routing'
import { type openSharedTable, type SharedEntry, sessionDefaults } from '@switchyard/worker-runtime'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { BalancerEmitter } from '../../src/events.ts'
import { RedisSharing } from '../../src/visitors/redis-sharing.ts'
import { VisitorTable } from '../../src/visitors/visitor-table.ts'

const test = suite('redis sharing')
const [alice, bob] = [visitorKey('sid', 'alice'), visitorKey('sid', 'bob')]
const redis = { ...sessionDefaults, url: 'redis://here' }

interface FakeTable {
  readonly published: string[]
  readonly url: string | undefined
  change(entry: SharedEntry): void
  isClosed: boolean
}

function sharingWith(kept: readonly SharedEntry[] = []) {
  const tables: FakeTable[] = []
  const openTable: typeof openSharedTable = ({ url }) => {
    const listeners: ((entry: SharedEntry) => void)[] = []
    const table: FakeTable = {
      published: [],
      url,
      isClosed: false,
      change: (entry) => {
        for (const listener of listeners) listener(entry)
      },
    }
    tables.push(table)
    return {
      publish: (key, value, ttlMs) => void table.published.push(`${key} ${value} ${ttlMs}`),
      onChange: (listener) => void listeners.push(listener),
      load: async () => kept,
      close: async () => {
        table.isClosed = true
      },
    }
  }
  const learned = new VisitorTable({
    maxEntries: 10,
    ttlMs: 1000,
    now: () => 0,
    isHeld: () => true,
  })
  const redisSharing = new RedisSharing({ visitors: learned, events: new BalancerEmitter(), openTable })
  const slotOf = (value: string, pool = 'web') => learned.slotOf(pool, 'sid', value)
  return { learned, redisSharing, tables, slotOf }
}

test('without Redis, or without a route that uses the table, nothing is opened', () => {
  const { redisSharing, learned, tables } = sharingWith()
  redisSharing.configure({ sessions: sessionDefaults, isWanted: true, maxEntries: 10 })
  redisSharing.configure({ sessions: redis, isWanted: false, maxEntries: 10 })
  learned.learn('web', 1, [alice])
  assert.equal(tables, [])
})

test('learned entries are published, received entries are added, invalid ones are ignored', () => {
  const { redisSharing, learned, tables, slotOf } = sharingWith()
  redisSharing.configure({ sessions: redis, isWanted: true, maxEntries: 10 })
  const [table] = tables as [FakeTable]
  learned.learn('web', 1, [alice])
  assert.equal(table.published, [`${alice}web 1 1000`])
  table.change({ key: `${bob}web`, value: '3', ttlMs: 500 })
  assert.is(slotOf('bob'), 3)
  for (const [key, value] of [
    [`${bob}web`, '-1'],
    [`${bob}web`, 'x'],
    [`${bob}web`, '70000'],
    [bob, '1'],
    ['', '1'],
  ] as const)
    table.change({ key, value, ttlMs: 500 })
  assert.is(slotOf('bob'), 3)
  assert.is(learned.status().kept, 2)
  assert.is(table.published.length, 1, 'a received entry is not published')
})

test('loading adds the entries of Redis, but keeps what was learned here', async () => {
  const { redisSharing, learned, slotOf } = sharingWith([
    { key: `${alice}web`, value: '5', ttlMs: 900 },
    { key: `${bob}web`, value: '6', ttlMs: 100 },
  ])
  learned.learn('web', 1, [alice])
  redisSharing.configure({ sessions: redis, isWanted: true, maxEntries: 10 })
  await until(() => slotOf('bob') === 6, 1000, 'the entry of Redis')
  assert.is(slotOf('alice'), 1)
})

test('a reload opens another table only when the address of Redis has changed', () => {
  const { redisSharing, learned, tables } = sharingWith()
  redisSharing.configure({ sessions: redis, isWanted: true, maxEntries: 10 })
  redisSharing.configure({ sessions: { ...redis, ttlMs: 5 }, isWanted: true, maxEntries: 10 })
  assert.is(tables.length, 1)
  redisSharing.configure({ sessions: { ...redis, url: 'redis://there' }, isWanted: true, maxEntries: 10 })
  assert.equal(
    tables.map(({ url, isClosed }) => [url, isClosed]),
    [
      ['redis://here', true],
      ['redis://there', false],
    ],
  )
  tables[0]?.change({ key: `${alice}web`, value: '3', ttlMs: 500 })
  assert.is(learned.status().kept, 0, 'changes of a closed table are ignored')
  redisSharing.configure({ sessions: redis, isWanted: false, maxEntries: 10 })
  assert.is(tables[1]?.isClosed, true)
})

test.run()
