// Keys that change between the requests of one client, and visitors of a proxy, whose keys differ.

import type { IncomingMessage } from 'node:http'
import { assert, suite } from '../../../../test/suite.ts'
import { ChangingKeys } from '../../src/observations/changing-keys.ts'

const test = suite('changing keys')

type Headers = Readonly<Record<string, string>>

/** Requests that move, one after the other on one connection; the key is the field `key`. Returns how many count. */
function counted(requests: readonly Headers[]): number {
  const keys = new ChangingKeys()
  const messages = requests.map((headers) => ({ headers }) as unknown as IncomingMessage)
  for (const [index, message] of messages.entries())
    keys.record('/cart/*', message, messages[index - 1], ({ headers }) => headers.key as string | undefined)
  return keys.list[0]?.requests ?? 0
}

test('a client with a new key in each request', () => assert.is(counted([{ key: 'a' }, { key: 'b' }, { key: 'c' }]), 2))
test('keys that return count once', () => assert.is(counted(['a', 'b', 'a', 'b', 'a', 'b'].map((key) => ({ key }))), 2))
test('one key', () => assert.is(counted([{ key: 'a' }, { key: 'a' }]), 0))
test('requests without a key', () => assert.is(counted([{ key: 'a' }, {}, { key: 'b' }]), 0))
test('visitors behind a proxy differ by address', () =>
  assert.is(counted(['1', '2', '3'].map((hop) => ({ key: hop, 'x-forwarded-for': `203.0.113.${hop}` }))), 0))
test('visitors behind a proxy that adds nothing differ by browser', () =>
  assert.is(counted(['a', 'b', 'c'].map((agent) => ({ key: agent, 'user-agent': agent }))), 0))

test('the table is bounded', () => {
  const keys = new ChangingKeys()
  const before = { headers: { key: 'a' } } as unknown as IncomingMessage
  for (let route = 0; route < 200; route++)
    keys.record(`/${route}`, { headers: { key: `${route}` } } as unknown as IncomingMessage, before, ({ headers }) => headers.key as string)
  assert.is(keys.list.length, 64)
})

test.run()
