// Invalid ids never become part of a key. MONITOR shows the commands that Redis receives.

import { assert, suite } from '../../../../test/suite.ts'
import { monitorRedis } from '../../../../test/support/redis-client.ts'
import { type RedisServer, startRedis } from '../../../../test/support/redis-servers.ts'
import { until } from '../../../../test/support/until.ts'
import { openRedisStore, type RedisStore } from '../../src/redis/redis-store.ts'
import { sessionDefaults } from '../../src/session-settings.ts'

const test = suite('redis hostile ids', { timeoutMs: 5_000 })
let server: RedisServer
let store: RedisStore

test.before(async () => {
  server = await startRedis()
  store = await openRedisStore({ ...sessionDefaults, url: server.url, commandTimeoutMs: 5_000 })
})
test.after(() => store.close())

const everyCharacter = Array.from({ length: 65_536 }, (_, code) => String.fromCharCode(code)).filter(
  (one) => !/^[A-Za-z0-9._~-]$/.test(one),
)
const hostile: readonly unknown[] = [
  ...everyCharacter.slice(0, 512).flatMap((one) => [one, `aaaa${one}`, `${one}aaaa`, `aa${one}aa`]),
  ...['\u2028', '\uFEFF', '\uD800', '😀', 'é'.normalize('NFD'), 'ｉｄ', 'а'],
  ...[
    '',
    'a'.repeat(129),
    'a'.repeat(100_000),
    '*',
    '?',
    '[a-z]',
    'a}',
    '{a}',
    'a}{b',
    ':',
    'other:key',
    '../a',
    '%61',
    'a b',
    '"',
    "'",
    '\\',
  ],
  ...[
    'id\r\nFLUSHALL\r\n',
    '*1\r\n$8\r\nFLUSHALL\r\n',
    "a' .. redis.call('FLUSHALL') .. '",
    'a"]);redis.call("FLUSHALL")--',
    '$(id)',
    '`id`',
    'a\n',
    '\na',
  ],
  ...[undefined, null, 0, 1, true, {}, [], ['a'], ['a', 'b'], Buffer.from('a'), Symbol.iterator, () => 'a', new String('a')],
]

test('Redis receives none of them', async () => {
  const monitor = await monitorRedis(server.port)
  for (const id of hostile as readonly string[]) {
    assert.equal(await store.read(id), { state: 'absent' })
    assert.is(await store.touch(id, 1000), false)
    assert.is(await store.destroy(id), false)
    const fault = await store.write(id, '{}', 1000).catch((error) => error)
    assert.is(fault.code, 'ERR_SESSION_ID')
    assert.is(fault.message, 'a session id has up to 128 characters of A-Z, a-z, 0-9 and ._~-')
  }
  await store.read('-marker_.~')
  await until(() => monitor.lines().some((line) => line.includes('-marker_.~')), 2_000, 'the marker')
  monitor.stop()
  assert.equal(
    monitor.lines().filter((line) => !line.includes('{switchyard:-marker_.~}')),
    [],
  )
  assert.is(await server.command('DBSIZE'), 0)
})

test('any text is stored unchanged', async () => {
  const texts = [
    '',
    '\0',
    '\r\n*1\r\n$8\r\nFLUSHALL\r\n',
    "'..redis.call('FLUSHALL')..'",
    everyCharacter.filter((one) => one < '\uD800').join(''),
    '😀'.repeat(1000),
  ]
  for (const text of texts) {
    await store.write('text', text, 60_000)
    const found = await store.read('text')
    assert.ok(found.state === 'kept' && found.text === text, `${text.length} characters came back otherwise`)
  }
})

test.run()
