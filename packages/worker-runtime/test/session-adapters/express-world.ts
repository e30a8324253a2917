// An app with express-session over one of our stores, for the cases that every store must pass.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Sessions } from '@switchyard/sessions'
import session from 'express-session'
import type { TestSuite } from '../../../../test/suite.ts'
import { type CallbackStore, expressSessions } from '../../src/session-adapters/express-sessions.ts'
import { Browser, type SmallServer, startServer } from './small-server.ts'

export type Data = session.SessionData & { [name: string]: unknown }
export type Store = session.Store & CallbackStore
export type Request = IncomingMessage & { session: session.Session & Data; sessionID: string; secure?: boolean }
export type Handler = (request: Request, response: ServerResponse) => unknown

export const MINUTE = 60_000

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

/** A store, and the app that a test starts on it. */
export class ExpressWorld {
  /** Of the running test. */
  store!: Store
  sessions!: AnySessions
  /** Calls of the methods of the store since the last app was started. */
  calls = { get: 0, set: 0, touch: 0, destroy: 0 }
  private running: SmallServer | undefined
  private made = 0

  /** `open` returns an empty store, which is closed at the end. */
  constructor(test: TestSuite, open: () => Promise<AnySessions>) {
    test.before(async () => {
      this.sessions = await open()
    })
    test.before.each(() => this.renew())
    test.after.each(() => this.end())
    test.after(() => this.sessions.close())
  }

  get server(): SmallServer {
    if (this.running === undefined) throw new Error('no app was started')
    return this.running
  }

  /** Ends the app, and empties the store. */
  async renew(): Promise<void> {
    await this.end()
    this.store = expressSessions(session, { sessions: this.sessions })
    await this.store.clear()
  }

  async app(options: Partial<session.SessionOptions>, handler: Handler): Promise<Browser> {
    const { store } = this
    this.calls = { get: 0, set: 0, touch: 0, destroy: 0 }
    for (const method of ['get', 'set', 'touch', 'destroy'] as const) {
      const { [method]: own } = store
      // biome-ignore lint/suspicious/noExplicitAny: passed on as they are
      ;(store as any)[method] = (...args: unknown[]) => {
        this.calls[method]++
        return Reflect.apply(own, store, args)
      }
    }
    this.running = await startApp(store, options, handler)
    return new Browser(this.running)
  }

  /** A handler that gives each session a number. */
  readonly numbered: Handler = (request, response) => {
    request.session.number ??= ++this.made
    response.end(`session ${request.session.number}`)
  }

  /** The session in the store. */
  async stored(browser: Browser): Promise<Data | undefined> {
    return (await this.store.get(idOf(browser))) as Data | undefined
  }

  private async end(): Promise<void> {
    await this.running?.close()
    this.running = undefined
  }
}

export function idOf(browser: Browser): string {
  return decodeURIComponent(browser.jar.get('connect.sid') ?? '').replace(/^s:(.*)\.[^.]*$/, '$1')
}
