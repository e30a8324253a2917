// sessions(request, response): the session of a visitor, without a framework.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { type SessionSettings, SessionStoreError, type Sessions } from '@switchyard/sessions'
import { assert, suite } from '../../../../test/suite.ts'
import { type RequestSession, sessions } from '../../src/session-adapters/request-session.ts'
import { type LocalSessions, openLocal } from './open-local.ts'
import { Browser, type SmallServer, startServer } from './small-server.ts'

interface Visits {
  readonly visits: number
}

type Handler = (session: RequestSession<Visits>, request: IncomingMessage, response: ServerResponse) => unknown

const test = suite('sessions(request, response)')
const HOUR = 3_600_000

let local: LocalSessions<Visits>
let all: Sessions<Visits>
let server: SmallServer | undefined

test.before.each(() => open({}))
test.after.each(async () => {
  await server?.close()
  server = undefined
  await all.close()
})

function open(options: Partial<SessionSettings>): void {
  local = openLocal<Visits>({ ttlMs: HOUR, ...options })
  all = local.sessions
}

/** A server that answers with the result of `handler` as JSON, or with the status and code of its error. */
async function app(handler: Handler): Promise<Browser> {
  server = await startServer(async (request, response) => {
    try {
      const result = await handler(await sessions(request, response, all), request, response)
      response.end(JSON.stringify(result ?? null))
    } catch (error) {
      const { status = 500, headers = {}, code, message } = error as Error & Record<string, never>
      if (!response.headersSent) response.writeHead(status, headers)
      response.end(JSON.stringify(code ?? message))
    }
  })
  return new Browser(server)
}

const count: Handler = (session) => session.update((value) => ({ visits: (value?.visits ?? 0) + 1 }))
const look: Handler = (session) => session.value ?? null

test('without a write there is no cookie and no session', async () => {
  const browser = await app(look)
  assert.equal((await browser.ask()).setCookies, [])
  assert.equal(await all.all(10), [])
})

test('the first write makes a signed id, in a cookie that scripts can’t read', async () => {
  const browser = await app(count)
  const { setCookies, text } = await browser.ask()
  assert.is(text, '{"visits":1}')
  assert.is(setCookies.length, 1)
  assert.match(setCookies[0] ?? '', /^session=[\w.-]+; Path=\/; Max-Age=3600; HttpOnly; SameSite=Lax$/)
  assert.ok(all.isOurs(browser.jar.get('session') ?? ''))
  assert.is((await browser.ask()).text, '{"visits":2}')
})

test('x-forwarded-proto of an untrusted client does not make the cookie secure: its browser would never send it back', async () => {
  const browser = await app(count)
  const { setCookies } = await browser.ask('/', { headers: { 'x-forwarded-proto': 'https' } })
  assert.not.match(setCookies[0] ?? '', /Secure/)
})

test('cookies that the app sets stay', async () => {
  const browser = await app(async (session, request, response) => {
    await count(session, request, response)
    response.setHeader('Set-Cookie', ['a=1', 'b=2'])
  })
  assert.equal(
    (await browser.ask()).setCookies.map((field) => field.split('=')[0]),
    ['a', 'b', 'session'],
  )
})

test('an invalid id, or one without a session, is never used', async () => {
  const browser = await app(count)
  const { sessions: other } = openLocal()
  const invalid = ['', 'x', 'a'.repeat(5_000), '%00', other.newId(), all.newId()]
  for (const value of invalid) {
    const visitor = new Browser(server as SmallServer, [['session', value]])
    assert.is((await visitor.ask()).text, '{"visits":1}', value.slice(0, 60))
    assert.is.not(visitor.jar.get('session'), value)
  }
  await other.close()
  assert.is((await browser.ask()).text, '{"visits":1}')
})

test('of several cookies of the name the first valid one is used', async () => {
  const browser = await app(count)
  await browser.ask()
  const own = browser.jar.get('session')
  const visitor = new Browser(server as SmallServer)
  assert.is((await visitor.ask('/', { headers: { cookie: `session=planted; other=1; session=${own}` } })).text, '{"visits":2}')
})

test('hundreds of cookies of the name cost no more than a few', async () => {
  await app(look)
  let asked = 0
  const isOurs = all.isOurs.bind(all)
  all.isOurs = (id: unknown): id is string => {
    asked++
    return isOurs(id)
  }
  const cookie = Array.from({ length: 300 }, () => 'session=planted').join('; ')
  await new Browser(server as SmallServer).ask('/', { headers: { cookie } })
  assert.ok(asked <= 8, String(asked))
})

test('a hundred concurrent requests: no update is lost', async () => {
  const browser = await app(count)
  await browser.ask()
  await Promise.all(Array.from({ length: 100 }, () => browser.copy().ask()))
  assert.is((await browser.ask()).text, '{"visits":102}')
})

test('two first writes of one request make one session', async () => {
  const browser = await app(async (session) => {
    await Promise.all([session.update(plusOne), session.update(plusOne)])
    return session.value
  })
  assert.is((await browser.ask()).setCookies.length, 1)
  assert.is((await all.all(10)).length, 1)
  assert.equal(await all.get(browser.jar.get('session') ?? ''), { visits: 2 })
})

function plusOne(value: Visits | undefined): Visits {
  return { visits: (value?.visits ?? 0) + 1 }
}

test('set replaces the value', async () => {
  const browser = await app((session) => session.set({ visits: 40 }))
  assert.is((await browser.ask()).text, 'true')
  assert.equal(await all.get(browser.jar.get('session') ?? ''), { visits: 40 })
})

test('destroy ends the session and expires the cookie', async () => {
  const browser = await app((session, request, response) =>
    request.url === '/out' ? session.destroy() : count(session, request, response),
  )
  await browser.ask()
  const id = browser.jar.get('session') ?? ''
  const { setCookies } = await browser.ask('/out')
  assert.match(setCookies[0] ?? '', /^session=; Path=\/; Max-Age=0;/)
  assert.is(browser.jar.size, 0)
  assert.is(await all.get(id), undefined)
  assert.is((await browser.ask()).text, '{"visits":1}')
})

test('a late write does not bring back a destroyed session, and expires the cookie', async () => {
  let letGo = (): void => {}
  let begun = (): void => {}
  const hasBegun = new Promise<void>((resolve) => {
    begun = resolve
  })
  const browser = await app(async (session, request, response) => {
    if (request.url === '/out') return session.destroy()
    if (request.url === '/slow') {
      begun()
      await new Promise<void>((resolve) => {
        letGo = resolve
      })
    }
    return (await count(session, request, response)) ?? 'it has ended'
  })
  await browser.ask()
  const id = browser.jar.get('session') ?? ''
  const late = browser.copy()
  const slow = late.ask('/slow')
  await hasBegun
  await browser.ask('/out')
  letGo()
  assert.is((await slow).text, '"it has ended"')
  assert.is(late.jar.size, 0)
  assert.is(await all.get(id), undefined)
})

test('regenerate keeps the value under a new id', async () => {
  const browser = await app((session, request, response) =>
    request.url === '/in' ? session.regenerate() : count(session, request, response),
  )
  await browser.ask()
  const planted = browser.jar.get('session') ?? ''
  await browser.ask('/in')
  assert.is.not(browser.jar.get('session'), planted)
  assert.is((await browser.ask()).text, '{"visits":2}')
  assert.is(await all.get(planted), undefined)
})

test('a new session after the head of the response is an error, and is not stored', async () => {
  const browser = await app((session, request, response) => {
    response.writeHead(200)
    return count(session, request, response)
  })
  assert.is((await browser.ask()).text, '"ERR_SESSION_COOKIE"')
  assert.equal(await all.all(10), [])
})

test('an existing session can be written after the head of the response', async () => {
  const browser = await app((session, request, response) => {
    if (request.url === '/late') response.writeHead(200)
    return count(session, request, response)
  })
  await browser.ask()
  assert.is((await browser.ask('/late')).text, '{"visits":2}')
})

test('without a response, as for a websocket, a session can be read, changed and ended, but not started', async () => {
  const browser = await app(async (_session, request) => {
    const session = await sessions(request, undefined, all)
    if (session.id === undefined) return session.update(plusOne)
    await session.update(plusOne)
    await all.update(session.id, plusOne)
    return session.read()
  })
  assert.is((await browser.ask()).text, '"ERR_SESSION_COOKIE"')
  const id = all.newId()
  await all.set(id, { visits: 10 })
  assert.is((await new Browser(server as SmallServer, [['session', id]]).ask()).text, '{"visits":12}')
})

test('rolling: after a tenth of its time the session is extended and the cookie sent again', async () => {
  const browser = await app(look)
  for (const [gone, isSent] of [
    [0.05, false],
    [0.2, true],
  ] as const) {
    const id = all.newId()
    await all.set(id, { visits: 1 }, HOUR * (1 - gone))
    const visitor = new Browser({ port: (server as SmallServer).port }, [['session', id]])
    const { setCookies } = await visitor.ask()
    assert.is(setCookies.length === 1, isSent)
    const { ttlMs = 0 } = (await all.find(id)) ?? {}
    assert.is(ttlMs > HOUR * 0.99, isSent)
  }
  assert.ok(browser)
})

for (const onOutage of ['fail', 'anonymous'] as const) {
  test(`an unreachable store, onOutage '${onOutage}'`, async () => {
    await all.close()
    open({ onOutage, nearCache: undefined })
    const browser = await app((session, request, response) =>
      request.url === '/look' ? look(session, request, response) : count(session, request, response),
    )
    await browser.ask()
    const { jar } = browser
    const before = new Map(jar)
    const { store } = local
    const { read, write } = store
    store.read = () => Promise.reject(new SessionStoreError('gone'))
    store.write = () => Promise.reject(new SessionStoreError('gone'))

    const looked = await browser.ask('/look')
    if (onOutage === 'fail') assert.equal([looked.status, looked.headers['retry-after']], [503, '1'])
    else assert.equal([looked.status, looked.text], [200, 'null'])
    const counted = await browser.ask()
    assert.equal([counted.status, counted.headers['retry-after']], [503, '1'])
    assert.equal(counted.setCookies, [])

    // Only reads fail: a write must not start another session.
    store.write = write
    assert.is((await browser.ask()).status, 503)
    store.read = read
    assert.equal(jar, before)
    assert.is((await browser.ask()).text, '{"visits":2}')
  })
}

test.run()
