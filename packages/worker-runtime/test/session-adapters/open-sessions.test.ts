// Sessions of a process outside a pool: an app that is started by itself works as under the balancer.

import { assert, suite } from '../../../../test/suite.ts'
import { foreignIds, openSessions, signedIds } from '../../src/index.ts'

const test = suite('open sessions')
const secret = Buffer.alloc(32, 1).toString('base64url')

test('the options of the first call apply, and every call returns the same sessions', async () => {
  const sessions = openSessions<{ name: string }>({ secrets: [secret], maxSessions: 2, maxValueBytes: 20 })
  assert.is(openSessions(), sessions)
  assert.is(sessions.status().kind, 'embedded')
  const id = sessions.newId()
  assert.ok(signedIds([secret]).isOurs(id))
  assert.is(await sessions.set(id, { name: 'Ada' }), true)
  assert.equal(await openSessions().get(id), { name: 'Ada' })
  assert.is((await sessions.set(id, { name: 'A name too long' }).catch((error) => error)).code, 'ERR_SESSION_VALUE')
})

test('an evicted session is not read from the cache', async () => {
  const sessions = openSessions<number>().as({ ids: foreignIds() })
  await sessions.clear()
  for (const [value, id] of ['a', 'b', 'c'].entries()) await sessions.set(id, value)
  assert.equal(await Promise.all(['a', 'b', 'c'].map((id) => sessions.get(id))), [undefined, 1, 2])
  await sessions.close()
})

test.run()
