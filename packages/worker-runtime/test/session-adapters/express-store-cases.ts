// The cases of express-session that concern the methods of a session and of its store. The cases of the middleware include these.

import { assert, type TestSuite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { type Data, type ExpressWorld, idOf, MINUTE } from './express-world.ts'

/** Adds the cases to a suite. */
export function expressStoreCases(test: TestSuite, world: ExpressWorld): void {
  const { numbered } = world
  const app: ExpressWorld['app'] = (options, handler) => world.app(options, handler)
  const stored: ExpressWorld['stored'] = (browser) => world.stored(browser)

  test('destroy ends the session', async () => {
    const browser = await app({}, (request, response) => {
      if (request.url === '/out') request.session.destroy((error) => response.end(String(error ?? request.session)))
      else numbered(request, response)
    })
    await browser.ask()
    assert.is((await browser.ask('/out')).text, 'undefined')
    assert.is(await world.store.length(), 0)
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
    assert.is(await world.store.get(id), undefined)
    assert.ok(await stored(browser))
  })

  test('reload reads the current session, or fails if there is none', async () => {
    const browser = await app({}, async (request, response) => {
      if (request.url !== '/reload') return numbered(request, response)
      const { id } = request.session
      await world.store.set(id, { ...(await world.store.get(id)), number: 'from elsewhere' } as never)
      request.session.reload(async () => {
        const { number } = request.session
        await world.store.clear()
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
      request.session.save(async () => response.end((await world.store.get(request.session.id)) ? 'stored' : 'empty'))
    })
    assert.is((await browser.ask()).text, 'stored')
    assert.is(world.calls.set, 1)
  })

  test('touch extends the session, and writes nothing', async () => {
    const browser = await app({ resave: false, cookie: { maxAge: MINUTE } }, numbered)
    await browser.ask()
    const before = new Date((await stored(browser))?.cookie.expires ?? 0).getTime()
    await until(async () => {
      await browser.ask()
      return new Date((await stored(browser))?.cookie.expires ?? 0).getTime() > before
    })
    assert.is(world.calls.set, 1)
    assert.ok(world.calls.touch >= 1)
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
    const left = async (id: string): Promise<number> => (await world.store.sessions.find(id))?.ttlMs ?? 0

    await world.store.set('123', plain as never)
    assert.equal(await world.store.get('123'), plain)
    assert.ok((await left('123')) > 86_390_000, 'as long as the sessions of this process')

    const soon = endsIn(MINUTE)
    await world.store.set('456', soon)
    assert.ok((await left('456')) <= MINUTE)
    await world.store.touch('456', endsIn(1.5 * MINUTE))
    assert.ok((await left('456')) > MINUTE)

    assert.is(await world.store.length(), 2)
    assert.equal((await world.store.ids())?.sort(), ['123', '456'])
    const all = ((await world.store.all()) ?? []).sort((one, other) => (one.id > other.id ? 1 : -1))
    assert.equal(all[0], { id: '123', ...plain })
    assert.equal([all[1]?.id, Object.keys(all[1] ?? {}).sort()], ['456', ['cookie', 'id']])

    await world.store.destroy('456')
    assert.is(await world.store.length(), 1)
    await world.store.clear()
    assert.is(await world.store.length(), 0)
  })

  test('a thousand sessions, and none after clear', async () => {
    const cookie = { originalMaxAge: null, expires: new Date(Date.now() + MINUTE) }
    await Promise.all(Array.from({ length: 1000 }, (_, index) => world.store.set(`s${index}`, { cookie } as never)))
    assert.is(await world.store.length(), 1000)
    assert.is(((await world.store.all()) ?? []).length, 1000)
    await world.store.clear()
    assert.is(await world.store.length(), 0)
  })

  test('a session written with an expiry in the past is gone', async () => {
    await world.store.set('789', { cookie: { originalMaxAge: null, expires: new Date(Date.now() + MINUTE) } } as never)
    assert.is(await world.store.length(), 1)
    await world.store.set('789', { cookie: { originalMaxAge: null, expires: new Date(Date.now() - MINUTE) } } as never)
    assert.is(await world.store.length(), 0)
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
    assert.is(await world.store.get(id), undefined)
    assert.is((await asBefore.ask()).text, 'undefined')
  })

  test('newId as genid makes signed ids, which are accepted', async () => {
    const browser = await app({ genid: world.store.newId }, numbered)
    const { text } = await browser.ask()
    assert.ok(world.sessions.isOurs(idOf(browser)))
    assert.is((await browser.ask()).text, text)
  })

  test('a callback is called once, after the method has returned', async () => {
    const order: string[] = []
    await new Promise<void>((resolve) => {
      world.store.set('order', { cookie: { originalMaxAge: null } } as never, (error) => {
        order.push(`called back ${error}`)
        resolve()
      })
      order.push('returned')
    })
    assert.equal(order, ['returned', 'called back null'])
  })
}
