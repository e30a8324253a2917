// @fastify/session on our sessions.

import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import { SessionStoreError } from '@switchyard/sessions'
import Fastify, { type FastifyInstance } from 'fastify'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { fastifySessions } from '../../src/session-adapters/fastify-sessions.ts'
import { type LocalSessions, openLocal } from './open-local.ts'

declare module 'fastify' {
  interface Session {
    user?: string
    visits?: number
  }
}

const secret = 'a secret of thirty-two characters or more'

const test = suite('@fastify/session', { timeoutMs: 20_000 })
let local: LocalSessions<unknown>
let app: FastifyInstance

test.before.each(() => {
  local = openLocal({ nearCache: undefined })
})
test.after.each(async () => {
  await app?.close()
  await local.sessions.close()
})

async function start(options: Partial<fastifySession.FastifySessionOptions> = {}): Promise<void> {
  const store = fastifySessions({ sessions: local.sessions })
  app = Fastify()
  await app.register(fastifyCookie)
  await app.register(fastifySession, { secret, store, idGenerator: store.newId, cookie: { secure: false }, ...options })
  app.post('/visits', async (request) => {
    request.session.visits = (request.session.visits ?? 0) + 1
    return request.session.visits
  })
  app.get('/', async (request) => ({ user: request.session.user ?? null, visits: request.session.visits ?? 0 }))
  app.post('/login', async (request) => {
    await request.session.regenerate()
    request.session.user = 'Ada'
    return 'in'
  })
  app.post('/logout', async (request) => {
    await request.session.destroy()
    return 'out'
  })
}

let cookie = ''
async function ask(
  method: 'GET' | 'POST',
  url: string,
  sent = cookie,
): Promise<{ status: number; text: string; setCookie: string | undefined; retryAfter: unknown }> {
  const answer = await app.inject({ method, url, headers: sent === '' ? {} : { cookie: sent } })
  const setCookie = [answer.headers['set-cookie'] ?? []].flat()[0]
  if (setCookie !== undefined) cookie = setCookie.split(';')[0] ?? ''
  return { status: answer.statusCode, text: answer.body, setCookie, retryAfter: answer.headers['retry-after'] }
}

test.before.each(() => {
  cookie = ''
})

test('a session is kept from request to request', async () => {
  await start()
  for (let count = 1; count <= 3; count++) assert.is((await ask('POST', '/visits')).text, String(count))
  assert.is((await local.sessions.all(10)).length, 1)
})

test('saveUninitialized: false: no session and no cookie until a value is set', async () => {
  await start({ saveUninitialized: false })
  assert.is((await ask('GET', '/')).setCookie, undefined)
  assert.equal(await local.sessions.all(10), [])
  assert.ok((await ask('POST', '/visits')).setCookie)
})

test('login gives a new id, and the old session is destroyed', async () => {
  await start()
  await ask('POST', '/visits')
  const planted = cookie
  await ask('POST', '/login')
  assert.is.not(cookie, planted)
  assert.is(JSON.parse((await ask('GET', '/')).text).user, 'Ada')
  assert.is(JSON.parse((await ask('GET', '/', planted)).text).user, null)
})

test('logout ends the session', async () => {
  await start()
  await ask('POST', '/login')
  const asBefore = cookie
  await ask('POST', '/logout')
  assert.is(JSON.parse((await ask('GET', '/', asBefore)).text).user, null)
})

test('a session expires with its cookie', async () => {
  await start({ cookie: { secure: false, maxAge: 50 }, saveUninitialized: false })
  await ask('POST', '/login')
  await until(async () => (await local.sessions.all(10)).length === 0)
  assert.is(JSON.parse((await ask('GET', '/')).text).user, null)
})

test('an unreachable store: 503 with Retry-After', async () => {
  await start()
  await ask('POST', '/login')
  local.store.read = () => Promise.reject(new SessionStoreError('gone'))
  const { status, retryAfter } = await ask('GET', '/')
  assert.equal([status, retryAfter], [503, '1'])
})

test('anonymous: the visitor has no session during the outage, and the old one afterwards', async () => {
  await local.sessions.close()
  local = openLocal({ nearCache: undefined, onOutage: 'anonymous' })
  await start({ saveUninitialized: false })
  await ask('POST', '/login')
  const before = cookie
  const { read } = local.store
  local.store.read = () => Promise.reject(new SessionStoreError('gone'))
  const { status, text } = await ask('GET', '/')
  assert.equal([status, JSON.parse(text).user], [200, null])
  assert.is((await ask('POST', '/visits')).status, 503, 'what was not read is not replaced')
  local.store.read = read
  assert.is(cookie, before)
  assert.equal(JSON.parse((await ask('GET', '/')).text), { user: 'Ada', visits: 0 })
})

test.run()
