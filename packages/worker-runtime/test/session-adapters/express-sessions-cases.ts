// The cases of the test suites of express-session and connect-redis that concern the store. Run over each of our stores.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Sessions } from '@switchyard/sessions'
import session from 'express-session'
import { assert, type TestSuite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { type CallbackStore, expressSessions } from '../../src/session-adapters/express-sessions.ts'
import { Browser, type SmallServer, startServer } from './small-server.ts'

type Data = session.SessionData & { [name: string]: unknown }
export type Store = session.Store & CallbackStore
export type Request = IncomingMessage & { session: session.Session & Data; sessionID: string; secure?: boolean }
type Handler = (request: Request, response: ServerResponse) => unknown

const MINUTE = 60_000

// biome-ignore lint/suspicious/noExplicitAny: sessions of any app
export type AnySessions = Sessions<any>

/**
 * An app with nothing but express-session. Errors are answered with their status and message, as by Express. `late` gets the errors that
 * occur after the head of the response was sent.
 */
export function startApp(
  store: Store,
  options: Partial<session.SessionOptions>,
  handler: Handler,
  late: unknown[] = [],
): Promise<SmallServer> {
  const middleware = session({ secret: 'signal box', resave: true, saveUninitialized: true, ...options, store })
  return startServer((request, response) => {
    middleware(request as never, response as never, (fault?: unknown) => {
      const error = fault as (Error & { status?: number; headers?: Record<string, string> }) | undefined
      if (error === undefined || error === null) return handler(request as Request, response)
      if (response.headersSent) return late.push(error)
      response.writeHead(error.status ?? 500, error.headers ?? {}).end(error.message)
    })
  })
}

/** `open` returns an empty store, which is closed at the end. */
export function expressCases(test: TestSuite, open: () => Promise<AnySessions>): void {
  let sessions: AnySessions
  let store: Store
  let server: SmallServer | undefined
  /** Calls of the methods of the store since the last app was started. */
  let calls: Record<'get' | 'set' | 'touch' | 'destroy', number>

  test.before(async () => {
    sessions = await open()
  })
  test.before.each(async () => {
    store = expressSessions(session, { sessions })
    await store.clear()
  })
  test.after.each(async () => {
    await server?.close()
    server = undefined
  })
  test.after(() => sessions.close())

  async function app(options: Partial<session.SessionOptions>, handler: Handler): Promise<Browser> {
    calls = { get: 0, set: 0, touch: 0, destroy: 0 }
    for (const method of ['get', 'set', 'touch', 'destroy'] as const) {
      const { [method]: own } = store
      // biome-ignore lint/suspicious/noExplicitAny: passed on as they are
      ;(store as any)[method] = (...args: unknown[]) => {
        calls[method]++
        return Reflect.apply(own, store, args)
      }
    }
    server = await startApp(store, options, handler)
    return new Browser(server)
  }

  let made = 0
  const numbered: Handler = (request, response) => {
    request.session.number ??= ++made
    response.end(`session ${request.session.number}`)
  }
  const idOf = (browser: Browser): string => decodeURIComponent(browser.jar.get('connect.sid') ?? '').replace(/^s:(.*)\.[^.]*$/, '$1')
  const stored = async (browser: Browser): Promise<Data | undefined> => (await store.get(idOf(browser))) as Data | undefined

  test('the store is a Store of the app’s own express-session', () => {
    assert.ok(store instanceof session.Store)
    assert.type(store.regenerate, 'function')
    assert.type(store.load, 'function')
    assert.type(store.createSession, 'function')
    assert.type(store.on, 'function')
  })

  test('a new visitor gets a new session, which is in the store', async () => {
    const browser = await app({}, numbered)
    const { setCookies } = await browser.ask()
    assert.match(setCookies[0] ?? '', /^connect\.sid=s%3A/)
    assert.is(await store.length(), 1)
  })

  test('the cookie brings the session back', async () => {
    const browser = await app({}, numbered)
    const { text } = await browser.ask()
    assert.is((await browser.ask()).text, text)
  })

  test('two visitors at once have two sessions', async () => {
    const browser = await app({}, numbered)
    await Promise.all([browser.ask(), new Browser(server as SmallServer).ask()])
    assert.is(Object.keys((await store.all()) ?? {}).length, 2)
  })

  test('a session value with the name of a method does no harm', async () => {
    const browser = await app({}, numbered)
    await browser.ask()
    await store.set(idOf(browser), { ...(await stored(browser)), save: 'nope' } as never)
    assert.is((await browser.ask()).status, 200)
  })

  test('nothing is stored under an id that is no string', async () => {
    const browser = await app({}, (request, response) => {
      request.sessionID = (() => {}) as never
      request.session.active = true
      response.end()
    })
    assert.equal((await browser.ask()).setCookies, [])
    assert.is(await store.length(), 0)
  })

  const endings: readonly [name: string, end: (response: ServerResponse) => void, text: string][] = [
    ['a text', (response) => response.end('saved'), 'saved'],
    ['nothing', (response) => response.setHeader('Content-Length', '0').end(), ''],
    [
      'several pieces',
      (response) => {
        response.setHeader('Content-Length', '12').write('hello, ')
        response.end('world')
      },
      'hello, world',
    ],
    ['a text of a known length', (response) => response.setHeader('Content-Length', '5').end('saved'), 'saved'],
  ]
  for (const [what, end, text] of endings) {
    test(`the session is saved before the response ends: ${what}`, async () => {
      const browser = await app({}, (request, response) => {
        request.session.hit = true
        end(response)
      })
      const answer = await browser.ask()
      assert.equal([answer.status, answer.text], [200, text])
      assert.is(calls.set, 1)
      assert.is((await stored(browser))?.hit, true)
    })
  }

  test('the session in the store expires with the cookie, and is extended with it', async () => {
    const browser = await app({ cookie: { maxAge: MINUTE } }, (request, response) => {
      request.session.user = 'bob'
      response.end()
    })
    const endOf = (setCookie = ''): string | undefined => /Expires=([^;]+)/.exec(setCookie)?.[1]
    const first = await browser.ask()
    const inStore = new Date((await stored(browser))?.cookie.expires ?? 0).toUTCString()
    assert.is(inStore, endOf(first.setCookies[0]))
    await until(async () => {
      await browser.ask()
      return new Date((await stored(browser))?.cookie.expires ?? 0).toUTCString() !== inStore
    })
  })

  test('an id without a session in the store: a new session with a new id', async () => {
    const browser = await app({}, numbered)
    const { text } = await browser.ask()
    const id = idOf(browser)
    await store.clear()
    assert.is.not((await browser.ask()).text, text)
    assert.is.not(idOf(browser), id)
  })

  test('an unsigned id: a new session, and the store is not asked', async () => {
    const browser = await app({ name: 'sessid' }, numbered)
    const { text } = await browser.ask()
    for (const forged of ['AAAA', 's%3AAAAA.BBBB', (browser.jar.get('sessid') ?? '').slice(0, -2)]) {
      const answer = await new Browser(server as SmallServer, [['sessid', forged]]).ask()
      assert.match(answer.setCookies[0] ?? '', /^sessid=/)
      assert.is.not(answer.text, text)
    }
    assert.is(calls.get, 0)
  })

  test('an expired session: a new one with a new id, and the old one is not in the store', async () => {
    const browser = await app({ cookie: { maxAge: 5 } }, numbered)
    const { text } = await browser.ask()
    const { jar } = browser
    const id = idOf(browser)
    await until(async () => (await store.length()) === 0 && ((await store.all()) ?? []).length === 0)
    assert.is(await store.get(id), undefined)
    const answer = await new Browser(server as SmallServer, jar).ask()
    assert.match(answer.setCookies[0] ?? '', /^connect\.sid=/)
    assert.is.not(answer.text, text)
  })

  test('a stored session without a cookie is an error of the app', async () => {
    const browser = await app({}, numbered)
    await browser.ask()
    await store.set(idOf(browser), { foo: 'bar' } as never)
    const answer = await browser.ask()
    assert.is(answer.status, 500)
    assert.match(answer.text, /Cannot read prop/)
  })

  for (const method of ['get', 'set', 'touch', 'destroy'] as const) {
    test(`an error of ${method} is passed on`, async () => {
      const faults: unknown[] = []
      const browser = await app({ resave: false, saveUninitialized: false, unset: 'destroy' }, (request, response) => {
        if (request.url === '/destroy') request.session = null as never
        else if (request.url !== '/touch') request.session.hit = request.url
        response.end()
      })
      await browser.ask('/before')
      const failing = (...args: unknown[]): void => {
        faults.push(args[0])
        ;(args.at(-1) as (error: Error) => void)(new Error('boom'))
      }
      // biome-ignore lint/suspicious/noExplicitAny: whichever it is
      ;(store as any)[method] = failing
      const answer = await browser.ask(`/${method}`).catch(() => undefined)
      assert.is(faults.length, 1)
      if (method === 'get') assert.equal([answer?.status, answer?.text], [500, 'boom'])
    })
  }

  test('resave: an unchanged session is written again, by default', async () => {
    const browser = await app({}, (request, response) => {
      request.session.user = 'bob'
      response.end()
    })
    await browser.ask()
    await browser.ask()
    assert.is(calls.set, 2)
  })

  test('resave: false: an unchanged session is touched, a changed one written', async () => {
    const browser = await app({ resave: false }, (request, response) => {
      if (request.method === 'PUT') request.session.token = request.url
      response.end(`token ${request.session.token}`)
    })
    assert.is((await browser.ask('/one', { method: 'PUT' })).text, 'token /one')
    assert.equal(calls, { get: 0, set: 1, touch: 0, destroy: 0 })
    assert.is((await browser.ask('/')).text, 'token /one')
    assert.equal(calls, { get: 1, set: 1, touch: 1, destroy: 0 })
    assert.is((await browser.ask('/two', { method: 'PUT' })).text, 'token /two')
    assert.equal(calls, { get: 2, set: 2, touch: 1, destroy: 0 })
  })

  test('a change of a nested property named cookie is a change', async () => {
    const browser = await app({ resave: false }, (request, response) => {
      const user = (request.session.user ?? { cookie: 0 }) as { cookie: number }
      user.cookie++
      request.session.user = user
      response.end(String(user.cookie))
    })
    await browser.ask()
    assert.is((await browser.ask()).text, '2')
    assert.is(calls.set, 2)
  })

  test('saveUninitialized: false: no session and no cookie until a value is set', async () => {
    const browser = await app({ saveUninitialized: false, rolling: true }, (request, response) => {
      if (request.url === '/count') request.session.count = 1
      response.end()
    })
    assert.equal((await browser.ask('/')).setCookies, [])
    assert.is(await store.length(), 0)
    assert.is(calls.touch, 0)
    assert.is((await browser.ask('/count')).setCookies.length, 1)
    assert.is(await store.length(), 1)
  })

  test('rolling: the cookie comes with every response', async () => {
    const browser = await app({ rolling: true, cookie: { maxAge: MINUTE } }, numbered)
    await browser.ask()
    assert.is((await browser.ask()).setCookies.length, 1)
  })

  test('unset: a session that is set to null stays, or is destroyed', async () => {
    for (const [unset, left] of [
      ['keep', 1],
      ['destroy', 0],
    ] as const) {
      store = expressSessions(session, { sessions })
      await store.clear()
      await server?.close()
      const browser = await app({ unset }, (request, response) => {
        const count = ((request.session.count as number | undefined) ?? 0) + 1
        request.session.count = count
        if (count === 2) request.session = null as never
        response.end()
      })
      await browser.ask()
      assert.is(await store.length(), 1)
      await browser.ask()
      assert.is(await store.length(), left, unset)
    }
  })

  test('load returns a session of express-session', async () => {
    const browser = await app({}, numbered)
    await browser.ask()
    const loaded = await new Promise<unknown>((resolve, reject) => {
      store.load(idOf(browser), (error, found) => (error ? reject(error) : resolve(found)))
    })
    assert.ok(loaded instanceof session.Session)
    assert.is(await new Promise((resolve) => store.load('nobody', (_error, found) => resolve(found))), undefined)
  })

  test('after disconnect the store is not used until connect', async () => {
    const browser = await app({}, (request, response) => response.end(typeof request.session))
    store.emit('disconnect')
    assert.is((await browser.ask()).text, 'undefined')
    store.emit('connect')
    assert.is((await browser.ask()).text, 'object')
  })

  test('destroy ends the session', async () => {
    const browser = await app({}, (request, response) => {
      if (request.url === '/out') request.session.destroy((error) => response.end(String(error ?? request.session)))
      else numbered(request, response)
    })
    await browser.ask()
    assert.is((await browser.ask('/out')).text, 'undefined')
    assert.is(await store.length(), 0)
  })

  test('regenerate: a new id, and the old session is destroyed', async () => {
    const browser = await app({}, (request, response) => {
      const { id } = request.session
      if (request.url === '/new') request.session.regenerate(() => response.end(String(request.session.id !== id)))
      else numbered(request, response)
    })
    await browser.ask()
    const id = idOf(browser)
    assert.is((await browser.ask('/new')).text, 'true')
    assert.is.not(idOf(browser), id)
    assert.is(await store.get(id), undefined)
    assert.ok(await stored(browser))
  })

  test('reload reads the current session, or fails if there is none', async () => {
    const browser = await app({}, async (request, response) => {
      if (request.url !== '/reload') return numbered(request, response)
      const { id } = request.session
      await store.set(id, { ...(await store.get(id)), number: 'from elsewhere' } as never)
      request.session.reload(async () => {
        const { number } = request.session
        await store.clear()
        request.session.reload((error: Error) => {
          response.end(`${number}, ${error.message}`)
        })
      })
    })
    await browser.ask()
    assert.is((await browser.ask('/reload')).text, 'from elsewhere, failed to load session')
  })

  test('save writes at once, and the end of the request does not write again', async () => {
    const browser = await app({ saveUninitialized: false }, (request, response) => {
      request.session.hit = true
      request.session.save(async () => response.end((await store.get(request.session.id)) ? 'stored' : 'empty'))
    })
    assert.is((await browser.ask()).text, 'stored')
    assert.is(calls.set, 1)
  })

  test('touch extends the session, and writes nothing', async () => {
    const browser = await app({ resave: false, cookie: { maxAge: MINUTE } }, numbered)
    await browser.ask()
    const before = new Date((await stored(browser))?.cookie.expires ?? 0).getTime()
    await until(async () => {
      await browser.ask()
      return new Date((await stored(browser))?.cookie.expires ?? 0).getTime() > before
    })
    assert.is(calls.set, 1)
    assert.ok(calls.touch >= 1)
  })

  test('the maxAge of the cookie is kept', async () => {
    const browser = await app({ cookie: { maxAge: MINUTE } }, (request, response) =>
      response.end(String(request.session.cookie.originalMaxAge)),
    )
    for (let count = 0; count < 3; count++) {
      const ms = Number((await browser.ask()).text)
      assert.ok(ms === MINUTE || ms === MINUTE - 1, String(ms))
    }
  })

  test('set, get, touch, length, ids, all, destroy, clear', async () => {
    const plain = { foo: 'bar', cookie: { originalMaxAge: null } }
    const endsIn = (ms: number): Data => ({ cookie: { originalMaxAge: null, expires: new Date(Date.now() + ms) } }) as Data
    const left = async (id: string): Promise<number> => (await store.sessions.find(id))?.ttlMs ?? 0

    await store.set('123', plain as never)
    assert.equal(await store.get('123'), plain)
    assert.ok((await left('123')) > 86_390_000, 'as long as the sessions of this process')

    const soon = endsIn(MINUTE)
    await store.set('456', soon)
    assert.ok((await left('456')) <= MINUTE)
    await store.touch('456', endsIn(1.5 * MINUTE))
    assert.ok((await left('456')) > MINUTE)

    assert.is(await store.length(), 2)
    assert.equal((await store.ids())?.sort(), ['123', '456'])
    const all = ((await store.all()) ?? []).sort((one, other) => (one.id > other.id ? 1 : -1))
    assert.equal(all[0], { id: '123', ...plain })
    assert.equal([all[1]?.id, Object.keys(all[1] ?? {}).sort()], ['456', ['cookie', 'id']])

    await store.destroy('456')
    assert.is(await store.length(), 1)
    await store.clear()
    assert.is(await store.length(), 0)
  })

  test('a thousand sessions, and none after clear', async () => {
    const cookie = { originalMaxAge: null, expires: new Date(Date.now() + MINUTE) }
    await Promise.all(Array.from({ length: 1000 }, (_, index) => store.set(`s${index}`, { cookie } as never)))
    assert.is(await store.length(), 1000)
    assert.is(((await store.all()) ?? []).length, 1000)
    await store.clear()
    assert.is(await store.length(), 0)
  })

  test('a session written with an expiry in the past is gone', async () => {
    await store.set('789', { cookie: { originalMaxAge: null, expires: new Date(Date.now() + MINUTE) } } as never)
    assert.is(await store.length(), 1)
    await store.set('789', { cookie: { originalMaxAge: null, expires: new Date(Date.now() - MINUTE) } } as never)
    assert.is(await store.length(), 0)
  })

  test('a late save does not bring back a destroyed session', async () => {
    let letGo = (): void => {}
    let begun = (): void => {}
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve
    })
    const browser = await app({ resave: false, saveUninitialized: false }, async (request, response) => {
      if (request.url === '/login') request.session.user = 'Ada'
      if (request.url === '/slow') {
        begun()
        await new Promise<void>((resolve) => {
          letGo = resolve
        })
        request.session.late = true
      }
      if (request.url === '/logout') return request.session.destroy(() => response.end())
      response.end(String(request.session.user))
    })
    await browser.ask('/login')
    const id = idOf(browser)
    const slow = browser.copy().ask('/slow')
    await hasBegun
    const asBefore = browser.copy()
    await browser.ask('/logout')
    letGo()
    assert.equal([(await slow).status, (await slow).text], [200, 'Ada'])
    assert.is(await store.get(id), undefined)
    assert.is((await asBefore.ask()).text, 'undefined')
  })

  test('newId as genid makes signed ids, which are accepted', async () => {
    const browser = await app({ genid: store.newId }, numbered)
    const { text } = await browser.ask()
    assert.ok(sessions.isOurs(idOf(browser)))
    assert.is((await browser.ask()).text, text)
  })

  test('a callback is called once, after the method has returned', async () => {
    const order: string[] = []
    await new Promise<void>((resolve) => {
      store.set('order', { cookie: { originalMaxAge: null } } as never, (error) => {
        order.push(`called back ${error}`)
        resolve()
      })
      order.push('returned')
    })
    assert.equal(order, ['returned', 'called back null'])
  })
}
