// The cases of the test suites of express-session and connect-redis that concern the store. Run over each of our stores.

import type { ServerResponse } from 'node:http'
import session from 'express-session'
import { assert, type TestSuite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { expressStoreCases } from './express-store-cases.ts'
import { type AnySessions, ExpressWorld, idOf, MINUTE } from './express-world.ts'
import { Browser } from './small-server.ts'

/** `open` returns an empty store, which is closed at the end. */
export function expressCases(test: TestSuite, open: () => Promise<AnySessions>): void {
  const world = new ExpressWorld(test, open)
  const { numbered } = world
  const app: ExpressWorld['app'] = (options, handler) => world.app(options, handler)
  const stored: ExpressWorld['stored'] = (browser) => world.stored(browser)

  test('the store is a Store of the app’s own express-session', () => {
    assert.ok(world.store instanceof session.Store)
    assert.type(world.store.regenerate, 'function')
    assert.type(world.store.load, 'function')
    assert.type(world.store.createSession, 'function')
    assert.type(world.store.on, 'function')
  })

  test('a new visitor gets a new session, which is in the store', async () => {
    const browser = await app({}, numbered)
    const { setCookies } = await browser.ask()
    assert.match(setCookies[0] ?? '', /^connect\.sid=s%3A/)
    assert.is(await world.store.length(), 1)
  })

  test('the cookie brings the session back', async () => {
    const browser = await app({}, numbered)
    const { text } = await browser.ask()
    assert.is((await browser.ask()).text, text)
  })

  test('two visitors at once have two sessions', async () => {
    const browser = await app({}, numbered)
    await Promise.all([browser.ask(), new Browser(world.server).ask()])
    assert.is(Object.keys((await world.store.all()) ?? {}).length, 2)
  })

  test('a session value with the name of a method does no harm', async () => {
    const browser = await app({}, numbered)
    await browser.ask()
    await world.store.set(idOf(browser), { ...(await stored(browser)), save: 'nope' } as never)
    assert.is((await browser.ask()).status, 200)
  })

  test('nothing is stored under an id that is no string', async () => {
    const browser = await app({}, (request, response) => {
      request.sessionID = (() => {}) as never
      request.session.active = true
      response.end()
    })
    assert.equal((await browser.ask()).setCookies, [])
    assert.is(await world.store.length(), 0)
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
      assert.is(world.calls.set, 1)
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
    await world.store.clear()
    assert.is.not((await browser.ask()).text, text)
    assert.is.not(idOf(browser), id)
  })

  test('an unsigned id: a new session, and the store is not asked', async () => {
    const browser = await app({ name: 'sessid' }, numbered)
    const { text } = await browser.ask()
    for (const forged of ['AAAA', 's%3AAAAA.BBBB', (browser.jar.get('sessid') ?? '').slice(0, -2)]) {
      const answer = await new Browser(world.server, [['sessid', forged]]).ask()
      assert.match(answer.setCookies[0] ?? '', /^sessid=/)
      assert.is.not(answer.text, text)
    }
    assert.is(world.calls.get, 0)
  })

  test('an expired session: a new one with a new id, and the old one is not in the store', async () => {
    const browser = await app({ cookie: { maxAge: 5 } }, numbered)
    const { text } = await browser.ask()
    const { jar } = browser
    const id = idOf(browser)
    await until(async () => (await world.store.length()) === 0 && ((await world.store.all()) ?? []).length === 0)
    assert.is(await world.store.get(id), undefined)
    const answer = await new Browser(world.server, jar).ask()
    assert.match(answer.setCookies[0] ?? '', /^connect\.sid=/)
    assert.is.not(answer.text, text)
  })

  test('a stored session without a cookie is an error of the app', async () => {
    const browser = await app({}, numbered)
    await browser.ask()
    await world.store.set(idOf(browser), { foo: 'bar' } as never)
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
      ;(world.store as any)[method] = failing
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
    assert.is(world.calls.set, 2)
  })

  test('resave: false: an unchanged session is touched, a changed one written', async () => {
    const browser = await app({ resave: false }, (request, response) => {
      if (request.method === 'PUT') request.session.token = request.url
      response.end(`token ${request.session.token}`)
    })
    assert.is((await browser.ask('/one', { method: 'PUT' })).text, 'token /one')
    assert.equal(world.calls, { get: 0, set: 1, touch: 0, destroy: 0 })
    assert.is((await browser.ask('/')).text, 'token /one')
    assert.equal(world.calls, { get: 1, set: 1, touch: 1, destroy: 0 })
    assert.is((await browser.ask('/two', { method: 'PUT' })).text, 'token /two')
    assert.equal(world.calls, { get: 2, set: 2, touch: 1, destroy: 0 })
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
    assert.is(world.calls.set, 2)
  })

  test('saveUninitialized: false: no session and no cookie until a value is set', async () => {
    const browser = await app({ saveUninitialized: false, rolling: true }, (request, response) => {
      if (request.url === '/count') request.session.count = 1
      response.end()
    })
    assert.equal((await browser.ask('/')).setCookies, [])
    assert.is(await world.store.length(), 0)
    assert.is(world.calls.touch, 0)
    assert.is((await browser.ask('/count')).setCookies.length, 1)
    assert.is(await world.store.length(), 1)
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
      await world.renew()
      const browser = await app({ unset }, (request, response) => {
        const count = ((request.session.count as number | undefined) ?? 0) + 1
        request.session.count = count
        if (count === 2) request.session = null as never
        response.end()
      })
      await browser.ask()
      assert.is(await world.store.length(), 1)
      await browser.ask()
      assert.is(await world.store.length(), left, unset)
    }
  })

  test('load returns a session of express-session', async () => {
    const browser = await app({}, numbered)
    await browser.ask()
    const loaded = await new Promise<unknown>((resolve, reject) => {
      world.store.load(idOf(browser), (error, found) => (error ? reject(error) : resolve(found)))
    })
    assert.ok(loaded instanceof session.Session)
    assert.is(await new Promise((resolve) => world.store.load('nobody', (_error, found) => resolve(found))), undefined)
  })

  test('after disconnect the store is not used until connect', async () => {
    const browser = await app({}, (request, response) => response.end(typeof request.session))
    world.store.emit('disconnect')
    assert.is((await browser.ask()).text, 'undefined')
    world.store.emit('connect')
    assert.is((await browser.ask()).text, 'object')
  })

  expressStoreCases(test, world)
}
