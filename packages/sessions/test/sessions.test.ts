// Sessions on a store in this process that can be slow, fail, and have concurrent writers.

import { assert, suite } from '../../../test/suite.ts'
import { seededRandom } from '../../../test/support/random.ts'
import { foreignIds } from '../src/session-id.ts'
import { type SessionSettings, sessionDefaults } from '../src/session-settings.ts'
import { SessionConflictError, SessionIdError, SessionStoreError, SessionValueError } from '../src/session-store.ts'
import { type Sessions, sessionsOn } from '../src/sessions.ts'
import { SharedStores } from './shared-stores.ts'

const test = suite('sessions')

const secrets = [Buffer.alloc(32, 1).toString('base64url')]
const random = seededRandom(6)

interface Cart {
  count: number
  items?: string[]
}

/** Sessions of several workers on one store. */
function open(workers: number, more: Partial<SessionSettings> = {}): { stores: SharedStores; all: Sessions<Cart>[] } {
  const stores = new SharedStores({ delay: () => (random() < 0.5 ? 0 : 1) })
  const settings = { ...sessionDefaults, secrets, ...more }
  return { stores, all: Array.from({ length: workers }, () => sessionsOn<Cart>(stores.open(), settings, { chance: random })) }
}

function two(more?: Partial<SessionSettings>): { stores: SharedStores; one: Sessions<Cart>; other: Sessions<Cart> } {
  const { stores, all } = open(2, more)
  return { stores, one: all[0] as Sessions<Cart>, other: all[1] as Sessions<Cart> }
}

async function rejects(promise: Promise<unknown>, kind: new (...args: never[]) => Error, text?: RegExp): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (thrown) => thrown,
  )
  assert.instance(error, kind)
  if (text !== undefined) assert.match((error as Error).message, text)
}

test('a value is read by other workers, as a new object each time', async () => {
  const { one, other } = two()
  const id = one.newId()
  const value = { count: 1, items: ['a'] }
  assert.is(await one.set(id, value), true)
  value.items.push('b')
  assert.equal(await one.get(id), { count: 1, items: ['a'] })
  assert.equal(await other.get(id), { count: 1, items: ['a'] })
  ;(await other.get(id))?.items?.push('c')
  assert.equal(await other.get(id), { count: 1, items: ['a'] })
})

test('an invalid id never reaches the store', async () => {
  const { stores, one } = two()
  for (const id of ['', 'x', '../../worker-runtime', 'a'.repeat(45), `${one.newId()}x`, undefined as unknown as string]) {
    assert.is(await one.get(id), undefined)
    assert.is(await one.touch(id), false)
    assert.is(await one.destroy(id), false)
    await rejects(one.set(id, { count: 1 }), SessionIdError)
    await rejects(
      one.update(id, () => ({ count: 1 })),
      SessionIdError,
    )
    await rejects(one.regenerate(id), SessionIdError)
  }
  assert.is(stores.commands, 0)
})

test('as() gives other ids and another codec on the same sessions', async () => {
  const { one } = two()
  const lengths = one.as({ ids: foreignIds(), codec: { encode: (length: number) => 'x'.repeat(length), decode: (text) => text.length } })
  assert.is(await lengths.set('framework', 5), true)
  assert.is(await lengths.get('framework'), 5)
  assert.is(await one.get('framework'), undefined)
  const id = one.newId()
  await one.set(id, { count: 1 })
  assert.is(await lengths.get(id), '{"count":1}'.length)
})

test('a value that is too large or can’t be encoded is an error and changes nothing', async () => {
  const { one } = two({ maxValueBytes: 40 })
  const id = one.newId()
  await one.set(id, { count: 1 })
  const circular = { count: 2 } as Cart & { self?: unknown }
  circular.self = circular
  await rejects(one.set(id, { count: 2, items: ['é'.repeat(12)] }), SessionValueError, /bytes; at most 40 are allowed/)
  await rejects(one.set(id, circular), SessionValueError, /can't be encoded/)
  await rejects(one.set(id, undefined as never), SessionValueError, /its codec returned no string/)
  await rejects(
    one.update(id, (cart) => ({ ...(cart as Cart), items: ['x'.repeat(50)] })),
    SessionValueError,
  )
  assert.equal(await one.get(id), { count: 1 })
  await one.as({ codec: { encode: String, decode: Number } }).set(id, Number.NaN)
  await rejects(one.get(id), SessionValueError, /can't be decoded/)
})

test('an invalid time to live is an error', async () => {
  const { one } = two()
  for (const ttlMs of [0, -1, Number.NaN]) await rejects(one.set(one.newId(), { count: 1 }, ttlMs), RangeError, /ttlMs/)
  assert.is(await one.set(one.newId(), { count: 1 }, Number.POSITIVE_INFINITY), true)
})

test('a read session is cached until another worker writes it', async () => {
  const { stores, one, other } = two()
  const id = one.newId()
  await one.set(id, { count: 1 })
  await other.get(id)
  const before = stores.commands
  for (let turn = 0; turn < 5; turn++) assert.equal([await one.get(id), await other.get(id)], [{ count: 1 }, { count: 1 }])
  assert.is(stores.commands, before)
  await other.set(id, { count: 2 })
  assert.equal(await one.get(id), { count: 2 })
  await one.destroy(id)
  assert.is(await other.get(id), undefined)
  assert.equal(other.status().near.hits, 5)
})

test('without reports of changes every read asks the store, which does not send a known text again', async () => {
  const { stores, all } = open(2)
  stores.hasNoReports = true
  const [one, other] = [0, 1].map(() => sessionsOn<Cart>(stores.open(), all[0]?.settings as SessionSettings)) as [
    Sessions<Cart>,
    Sessions<Cart>,
  ]
  const id = one.newId()
  await one.set(id, { count: 1 })
  assert.equal(await one.get(id), { count: 1 })
  assert.equal(stores.found.at(-1), 'same')
  await other.set(id, { count: 2 })
  assert.equal(await one.get(id), { count: 2 })
  assert.equal(stores.found.at(-1), 'kept')
})

test('without a cache every read asks the store', async () => {
  const { stores, one } = two({ nearCache: undefined })
  const id = one.newId()
  await one.set(id, { count: 1 })
  const before = stores.commands
  for (let turn = 0; turn < 3; turn++) assert.equal(await one.get(id), { count: 1 })
  assert.is(stores.commands, before + 3)
  assert.is(one.status().near.entries, 0)
})

test('a session that was just touched is not touched again', async () => {
  const { stores, one } = two()
  const id = one.newId()
  await one.set(id, { count: 1 })
  const before = stores.commands
  assert.is(await one.touch(id), true)
  assert.is(stores.commands, before)
  assert.is(await one.touch(id, 5000), true)
  assert.is(stores.commands, before + 1)
  assert.is(await one.touch(one.newId()), false)
})

test('an update returns the next value or modifies the current one; without a change nothing is written', async () => {
  const { stores, one, other } = two()
  const id = one.newId()
  assert.is(await one.update(id, () => undefined), undefined)
  assert.equal(await one.update(id, (cart) => ({ count: (cart?.count ?? 0) + 1 })), { count: 1 })
  assert.equal(
    await one.update(id, (cart) => {
      if (cart !== undefined) cart.items = ['a']
      return undefined
    }),
    { count: 1, items: ['a'] },
  )
  const before = stores.writes
  assert.equal(await other.update(id, () => undefined), { count: 1, items: ['a'] })
  assert.is(stores.writes, before)
  assert.equal(await other.get(id), { count: 1, items: ['a'] })
})

test('an update rejects with what its change throws; other updates in the same write succeed', async () => {
  const { one } = two()
  const id = one.newId()
  const add = () => one.update(id, (cart) => ({ count: (cart?.count ?? 0) + 1 }))
  const results = await Promise.allSettled([
    add(),
    add(),
    one.update(id, () => {
      throw new RangeError('out of stock')
    }),
    add(),
    one.update(id, (async () => ({ count: 9 })) as never),
    add(),
  ])
  assert.equal(
    results.map((result) => (result.status === 'rejected' ? result.reason.message : result.value?.count)),
    [1, 2, 'out of stock', 3, 'the change of a session must be synchronous: it returned a promise', 4],
  )
  assert.equal(await one.get(id), { count: 4 })
})

test('a change that ran on an outdated session runs again, even if it wrote nothing', async () => {
  const { stores, one, other } = two()
  const id = one.newId()
  await one.set(id, { count: 1 })
  stores.losesReports = true
  await other.set(id, { count: 2 })
  assert.equal(await one.get(id), { count: 1 }, 'the change was not reported')
  assert.equal(await one.update(id, () => undefined), { count: 2 })
  await other.set(id, { count: 0 })
  await rejects(
    one.update(id, (cart) => {
      if (cart?.count === 0) throw new RangeError('out of stock')
      return undefined
    }),
    RangeError,
  )
})

test(
  '64 clients of 8 workers update 3 sessions at the same time: every increment is there',
  async () => {
    const { all, stores } = open(8)
    const ids = Array.from({ length: 3 }, () => (all[0] as Sessions<Cart>).newId())
    const increment = (cart: Cart | undefined) => ({ count: (cart?.count ?? 0) + 1 })
    await Promise.all(
      Array.from({ length: 64 }, async (_, client) => {
        const own = all[client % 8] as Sessions<Cart>
        for (let turn = 0; turn < 60; turn++) await own.update(ids[turn % 3] as string, increment)
      }),
    )
    for (const id of ids) assert.equal(await all[1]?.get(id), { count: 64 * 20 })
    assert.ok(stores.writes < 64 * 60, 'some updates share a write')
  },
  { timeoutMs: 30_000 },
)

test('an update that always conflicts ends after updateAttempts', async () => {
  const { stores, one } = two({ updateAttempts: 4, nearCache: undefined })
  const id = one.newId()
  await one.set(id, { count: 1 })
  let tries = 0
  stores.beforeWrite = (written) => {
    if (written === id) stores.table.write(id, '{"count":7}', 1000, undefined, performance.now())
  }
  await rejects(
    one.update(id, (cart) => {
      tries++
      return cart
    }),
    SessionConflictError,
    /4 attempts/,
  )
  assert.is(tries, 4)
})

test('a destroyed session does not come back: by set, by update, or by an update under way', async () => {
  const { stores, one, other } = two()
  const id = one.newId()
  await one.set(id, { count: 1 })
  stores.beforeWrite = () => {
    stores.beforeWrite = () => {}
    stores.table.destroy(id, undefined, performance.now())
  }
  assert.is(await one.update(id, () => ({ count: 2 })), undefined)
  assert.is(await one.set(id, { count: 3 }), false)
  assert.is(await other.set(id, { count: 3 }), false)
  assert.is(await other.update(id, () => ({ count: 4 })), undefined)
  assert.is(await other.touch(id), false)
  assert.is(await other.get(id), undefined)
  assert.is(await other.destroy(id), false)
})

test('regenerate moves the session to a new id, and the old id is ended', async () => {
  const { stores, one, other } = two()
  const id = one.newId()
  await one.set(id, { count: 1 })
  let changed = false
  stores.beforeDestroy = () => {
    if (changed) return
    changed = true
    stores.table.write(id, '{"count":2}', 1000, undefined, performance.now())
  }
  const newId = await other.regenerate(id)
  assert.ok(one.isOurs(newId) && newId !== id)
  assert.equal(await one.get(newId), { count: 2 }, 'a concurrent write is moved too')
  assert.is(await one.get(id), undefined)
  assert.is(await one.set(id, { count: 3 }), false)
  const empty = await one.regenerate(one.newId())
  assert.is(await one.get(empty), undefined)
})

test('while the store is down writes fail, and reads go by onOutage', async () => {
  for (const onOutage of ['fail', 'read-cached', 'anonymous'] as const) {
    const { stores, one } = two({ onOutage })
    const [id, unknown] = [one.newId(), one.newId()]
    await one.set(id, { count: 1 })
    stores.reportAny()
    stores.isDown = true
    const failed = () => one.get(unknown).catch((error) => error)
    if (onOutage === 'read-cached') assert.equal(await one.get(id), { count: 1 })
    if (onOutage === 'anonymous') assert.is(await one.get(id), undefined)
    if (onOutage === 'fail') await rejects(one.get(id), SessionStoreError)
    if (onOutage === 'anonymous') assert.is(await failed(), undefined)
    else assert.is((await failed()).status, 503)
    await rejects(one.set(unknown, { count: 1 }), SessionStoreError)
    await rejects(
      one.update(unknown, () => ({ count: 1 })),
      SessionStoreError,
    )
    await rejects(one.destroy(id), SessionStoreError)
    if (onOutage === 'fail') await rejects(one.touch(id), SessionStoreError)
    else assert.is(await one.touch(id), false)
    stores.isDown = false
    assert.equal(await one.get(id), { count: 1 }, 'recovers afterwards')
  }
})

test('updates that wait behind a failed one fail with it', async () => {
  const { stores, one } = two()
  const id = one.newId()
  stores.isDown = true
  const all = await Promise.allSettled(Array.from({ length: 5 }, () => one.update(id, () => ({ count: 1 }))))
  assert.ok(all.every((result) => result.status === 'rejected' && result.reason instanceof SessionStoreError))
  assert.is(stores.commands, 1)
  stores.isDown = false
  assert.equal(await one.update(id, () => ({ count: 1 })), { count: 1 })
})

test('waiting updates are bounded', async () => {
  const { stores, one } = two()
  const id = one.newId()
  stores.isDown = true
  const all = await Promise.allSettled(Array.from({ length: 17_000 }, () => one.update(id, () => ({ count: 1 }))))
  const refused = all.filter((result) => result.status === 'rejected' && /waiting already/.test(result.reason.message))
  assert.ok(refused.length > 0 && refused.length < 1000, `${refused.length}`)
})

test('all() lists the ids, and none after clear()', async () => {
  const { one, other } = two()
  const ids = [one.newId(), one.newId()]
  for (const id of ids) await one.set(id, { count: 1 })
  assert.equal([...(await other.all())].sort(), [...ids].sort())
  await one.clear()
  assert.equal(await other.all(), [])
  assert.is(await other.get(ids[0] as string), undefined)
  assert.is(await one.get(ids[0] as string), undefined)
})

test.run()
