// Tokens and sessions, with a clock and chance of the test.

import * as assert from 'uvu/assert'
import { suite } from '../../../../test/suite.ts'
import { Access, MAX_SESSIONS, MAX_TOKENS, type NewSession, SESSION_TTL_MS, TOKEN_TTL_MS } from '../../src/dashboard/access.ts'

const test = suite('dashboard: access')

function accessAt(): { access: Access; clock: { nowMs: number } } {
  const clock = { nowMs: 1_000 }
  let last = 0
  return { clock, access: new Access({ now: () => clock.nowMs, random: () => `secret-${++last}` }) }
}

function opened(access: Access): NewSession {
  return access.openSession(access.createToken()) as NewSession
}

test('a token opens one session, which may act with cookie and key together', () => {
  const { access } = accessAt()
  const token = access.createToken()
  const session = access.openSession(token) as NewSession
  assert.ok(access.isOpen(session.id))
  assert.ok(access.mayAct(session.id, session.key))
  assert.is(access.openSession(token), undefined)
})

test('neither half of a session may act, nor halves of two sessions', () => {
  const { access } = accessAt()
  const [one, other] = [opened(access), opened(access)]
  const wrong: readonly (readonly [string | undefined, string | undefined])[] = [
    [one.id, undefined],
    [undefined, one.key],
    [one.id, other.key],
    [one.key, one.id],
    [one.id, ''],
    ['', ''],
  ]
  for (const [id, key] of wrong) assert.not(access.mayAct(id, key), `${id} ${key}`)
})

test('a token ends after its time, and a guess opens nothing', () => {
  const { access, clock } = accessAt()
  const token = access.createToken()
  assert.is(access.openSession('guess'), undefined)
  clock.nowMs += TOKEN_TTL_MS
  assert.is(access.openSession(token), undefined)
})

test('a session ends after its time, or when it is closed', () => {
  const { access, clock } = accessAt()
  const [one, other] = [opened(access), opened(access)]
  access.endSession(one.id)
  assert.not(access.mayAct(one.id, one.key))
  assert.ok(access.isOpen(other.id))
  clock.nowMs += SESSION_TTL_MS
  assert.not(access.isOpen(other.id))
  assert.not(access.mayAct(other.id, other.key))
})

test('tokens and sessions are bounded: the oldest go', () => {
  const { access } = accessAt()
  const tokens = Array.from({ length: MAX_TOKENS + 1 }, () => access.createToken())
  assert.is(access.openSession(tokens[0] as string), undefined)
  assert.ok(access.openSession(tokens[1] as string))
  const sessions = Array.from({ length: MAX_SESSIONS + 1 }, () => opened(access))
  assert.not(access.isOpen(sessions[0]?.id))
  assert.ok(access.isOpen(sessions[1]?.id))
})

test.run()
