// express-session on the sessions of a process outside a pool.

import { createRequire } from 'node:module'
import { type SessionSettings, SessionStoreError } from '@switchyard/sessions'
import session from 'express-session'
import { assert, suite } from '../../../../test/suite.ts'
import { expressSessions } from '../../src/session-adapters/express-sessions.ts'
import { expressCases } from './express-sessions-cases.ts'
import { startApp } from './express-world.ts'
import { type LocalSessions, openLocal } from './open-local.ts'
import { Browser, type SmallServer } from './small-server.ts'

const test = suite('express-session, sessions in this process', { timeoutMs: 20_000 })

expressCases(test, async () => openLocal().sessions)

interface Outage {
  readonly local: LocalSessions<unknown>
  readonly server: SmallServer
  readonly browser: Browser
  /** Errors after the head of the response was sent. */
  readonly late: readonly unknown[]
  /** Makes every command fail until the returned function is called. */
  stop(): () => void
  end(): Promise<void>
}

async function withOutage(settings: Partial<SessionSettings>): Promise<Outage> {
  const local = openLocal(settings)
  const late: unknown[] = []
  const server = await startApp(
    expressSessions(session, { sessions: local.sessions }),
    { resave: false, saveUninitialized: false, cookie: { maxAge: 60_000 } },
    (request, response) => {
      if (request.url === '/in') request.session.user = 'Ada'
      if (request.url === '/note') request.session.note = 'lost?'
      response.end(`${request.session.user ?? 'anonymous'}, ${request.session.note ?? 'nothing'}`)
    },
    late,
  )
  return {
    local,
    late,
    server,
    browser: new Browser(server),
    stop() {
      const { store } = local
      const { read, write, touch, destroy } = store
      const fail = (): Promise<never> => Promise.reject(new SessionStoreError('gone'))
      Object.assign(store, { read: fail, write: fail, touch: fail, destroy: fail })
      return () => Object.assign(store, { read, write, touch, destroy })
    },
    async end() {
      await server.close()
      await local.sessions.close()
    },
  }
}

test('an unreachable store: 503 with Retry-After, and the cookie stays', async () => {
  const { browser, stop, end } = await withOutage({ nearCache: undefined })
  await browser.ask('/in')
  const before = new Map(browser.jar)
  const back = stop()
  const { status, headers, setCookies } = await browser.ask()
  assert.equal([status, headers['retry-after'], setCookies], [503, '1', []])
  back()
  assert.equal(browser.jar, before)
  assert.is((await browser.ask()).text, 'Ada, nothing')
  await end()
})

test('a save that fails is an error of the app, though express-session has begun to answer', async () => {
  const { browser, late, stop, end } = await withOutage({})
  await browser.ask('/in')
  const back = stop()
  await browser.ask('/note')
  assert.ok(late.length === 1 && late[0] instanceof SessionStoreError)
  back()
  assert.is((await browser.ask()).text, 'Ada, nothing')
  await end()
})

test('read-cached: cached sessions can be read, and not written', async () => {
  const { browser, server, late, stop, end } = await withOutage({ onOutage: 'read-cached', nearCache: { maxEntries: 1, maxAgeMs: 1 } })
  const unknown = new Browser(server)
  await unknown.ask('/in')
  await browser.ask('/in')
  stop()
  assert.is((await browser.ask()).text, 'Ada, nothing')
  assert.is((await unknown.ask()).status, 503)
  await browser.ask('/note')
  assert.ok(late.at(-1) instanceof SessionStoreError)
  await end()
})

test('anonymous: the visitor has no session during the outage, and the old one afterwards', async () => {
  const { browser, server, local, late, stop, end } = await withOutage({ onOutage: 'anonymous', nearCache: undefined })
  await browser.ask('/in')
  const before = new Map(browser.jar)
  const back = stop()
  assert.equal([(await browser.ask()).text, browser.jar], ['anonymous, nothing', before])
  assert.is((await new Browser(server).ask()).text, 'anonymous, nothing')
  // Read during the outage and saved after it: the empty session must not replace the stored one.
  const { write } = local.store
  back()
  const reads = stop()
  local.store.write = write
  await browser.ask('/note')
  assert.ok(late.length === 1 && late[0] instanceof SessionStoreError)
  reads()
  assert.is((await browser.ask()).text, 'Ada, nothing')
  await end()
})

test('works in CommonJS too', () => {
  const own = createRequire(import.meta.url)('@switchyard/worker-runtime/express-session') as { expressSessions: unknown }
  assert.type(own.expressSessions, 'function')
})

test.run()
