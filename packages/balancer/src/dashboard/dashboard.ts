// The dashboard on the admin page: files, live events, sessions and actions, each behind its checks. It is loaded when it is first used.

import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { RequestFault } from '../control/control-requests.ts'
import type { BalancerEmitter } from '../events.ts'
import { Access } from './access.ts'
import { Actions, type ActionsOptions } from './actions.ts'
import { Live, type LiveOptions } from './live.ts'
import { type PageFile, readPageFiles } from './page-files.ts'
import { isLocal, portOf, type RequestFacts, type RequestKind, refusalOf } from './request-rules.ts'
import { readToken } from './token-request.ts'

export interface DashboardOptions extends Pick<LiveOptions, 'balancer' | 'identity' | 'readLists'> {
  readonly balancer: LiveOptions['balancer'] & { readonly events: BalancerEmitter }
  readonly operations: ActionsOptions['operations']
  readonly onAction: ActionsOptions['onAction']
  /** Host names under which the admin page answers, beside addresses and localhost. */
  readonly names: readonly string[]
}

const COOKIE = 'switchyard_dashboard_'
const SESSION_HEADER = 'x-switchyard-key'
const COOKIE_SECONDS = 12 * 3600

/** For every answer: what a browser may do with it. */
const SECURITY_HEADERS = {
  'Content-Security-Policy': "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
} as const

export class Dashboard {
  private readonly options: DashboardOptions
  private readonly access: Access
  private readonly live: Live
  private readonly actions: Actions
  private files: ReadonlyMap<string, PageFile> | undefined

  constructor(options: DashboardOptions) {
    const { balancer, operations, onAction } = options
    this.options = options
    this.access = new Access({ now: Date.now, random: (bytes) => randomBytes(bytes).toString('base64url') })
    this.live = new Live({ ...options, now: Date.now })
    this.actions = new Actions({ operations, onAction, onOutcome: (outcome) => this.live.send('outcome', outcome) })
    this.live.follow(balancer.events)
  }

  /** A token that opens one session. */
  createToken(): string {
    return this.access.createToken()
  }

  /** Never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {})
    try {
      await this.route(request, response)
    } catch (error) {
      request.resume()
      if (response.headersSent) return void response.destroy()
      const [status, message] = error instanceof RequestFault ? [error.status, error.message] : [500, (error as Error).message]
      sendJson(response, status, { error: message })
    }
  }

  close(): void {
    this.live.close()
  }

  private async route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?', 1)[0] as string
    const facts = factsOf(request)
    const id = cookieOf(request, facts)
    if (path === '/dashboard/live') {
      this.check(request, facts, 'read', 'GET')
      const mayRead = (): boolean => isLocal(facts) || this.access.isOpen(id)
      if (!mayRead()) throw new RequestFault(401, NEEDS_SESSION)
      const canAct = this.access.isOpen(id)
      if (!this.live.add(response, { ...SECURITY_HEADERS, 'Cache-Control': 'no-store' }, mayRead, canAct))
        throw new RequestFault(503, 'too many pages are open')
      return
    }
    if (path === '/dashboard/session') return this.changeSession(request, response, facts, id)
    if (path.startsWith('/dashboard/act/')) {
      this.check(request, facts, 'act', 'POST')
      if (!this.access.mayAct(id, headerOf(request, SESSION_HEADER))) throw new RequestFault(401, NEEDS_SESSION)
      const outcome = await this.actions.run(path.slice('/dashboard/act/'.length), request)
      return sendJson(response, outcome.isOver ? (outcome.isGood ? 200 : 409) : 202, outcome)
    }
    this.check(request, facts, 'page', 'GET', 'HEAD')
    this.sendFile(path === '/' ? 'index.html' : path.replace(/^\/dashboard\/?/, ''), request, response)
  }

  /** POST opens a session for a token, DELETE ends one. */
  private async changeSession(
    request: IncomingMessage,
    response: ServerResponse,
    facts: RequestFacts,
    id: string | undefined,
  ): Promise<void> {
    this.check(request, facts, 'act', 'POST', 'DELETE')
    const name = cookieName(facts)
    if (request.method === 'DELETE') {
      this.access.endSession(id)
      return sendJson(response, 200, {}, { 'Set-Cookie': `${name}=; Path=/dashboard; HttpOnly; SameSite=Strict; Max-Age=0` })
    }
    const session = this.access.openSession(await readToken(request))
    if (session === undefined)
      throw new RequestFault(401, "this link was used already or is too old: 'balancer dashboard' prints a new one")
    const cookie = `${name}=${session.id}; Path=/dashboard; HttpOnly; SameSite=Strict; Max-Age=${COOKIE_SECONDS}`
    sendJson(response, 200, { key: session.key }, { 'Set-Cookie': cookie })
  }

  private check(request: IncomingMessage, facts: RequestFacts, kind: RequestKind, ...methods: readonly string[]): void {
    const refusal = refusalOf(facts, kind, this.options.names)
    if (refusal !== undefined) throw new RequestFault(refusal.status, refusal.why)
    if (!methods.includes(request.method ?? '')) throw new RequestFault(405, `only ${methods.join(' and ')} are allowed`)
  }

  private sendFile(name: string, request: IncomingMessage, response: ServerResponse): void {
    this.files ??= readPageFiles()
    const file = this.files.get(name)
    if (file === undefined) throw new RequestFault(404, 'the dashboard has no such file')
    const headers = { ...SECURITY_HEADERS, 'Cache-Control': 'no-cache', ETag: file.etag }
    if (headerOf(request, 'if-none-match') === file.etag) {
      response.writeHead(304, headers)
      return void response.end()
    }
    response.writeHead(200, { ...headers, 'Content-Type': file.type, 'Content-Length': file.body.length })
    response.end(request.method === 'HEAD' ? undefined : file.body)
  }
}

const NEEDS_SESSION = "this needs a session: 'balancer dashboard' prints a link that opens one"

function factsOf(request: IncomingMessage): RequestFacts {
  const { headersDistinct, socket } = request
  const proxyHeaders = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip']
  return {
    hosts: headersDistinct.host ?? [],
    origin: headerOf(request, 'origin'),
    site: headerOf(request, 'sec-fetch-site'),
    contentType: headerOf(request, 'content-type'),
    remoteAddress: socket.remoteAddress,
    isProxied: proxyHeaders.some((name) => headersDistinct[name] !== undefined),
  }
}

/** A header that is sent twice is joined, so that it equals nothing that is expected. */
function headerOf({ headersDistinct }: IncomingMessage, name: string): string | undefined {
  return headersDistinct[name]?.join(', ')
}

/** A cookie belongs to a host, not to a port: each balancer of a machine has its own name. */
function cookieName({ hosts: [host = ''] }: RequestFacts): string {
  return `${COOKIE}${portOf(host)}`
}

function cookieOf(request: IncomingMessage, facts: RequestFacts): string | undefined {
  const name = cookieName(facts)
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [key, value] = part.trim().split('=', 2)
    if (key === name && value !== undefined) return value
  }
  return undefined
}

function sendJson(response: ServerResponse, status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): void {
  const body = `${JSON.stringify(value)}\n`
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    ...headers,
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    // The rest of an unread body must not be parsed as the next request.
    ...(status >= 400 && { Connection: 'close' }),
  })
  response.end(body)
}
