// The dashboard over real sockets, around a fake balancer: what it serves, and the attacks that it refuses.

import { type IncomingMessage, request } from 'node:http'
import * as assert from 'uvu/assert'
import { atSuiteEnd, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { startAdmin } from '../../src/admin/admin-server.ts'
import { Dashboard } from '../../src/dashboard/dashboard.ts'
import { MAX_VIEWERS } from '../../src/dashboard/viewers.ts'
import type { Settings } from '../../src/settings.ts'
import { FakeBalancer } from '../support/fake-balancer.ts'

const test = suite('dashboard: server')

type Headers = Record<string, string | string[]>

interface Answer {
  status: number
  headers: IncomingMessage['headers']
  text: string
}

interface Site {
  balancer: FakeBalancer
  dashboard: Dashboard
  port: number
  /** The headers of the page itself, with the session if there is one. */
  own: Record<string, string>
  ask(method: string, path: string, headers?: Headers, body?: unknown): Promise<Answer>
  actions: string[]
}

async function siteOf(): Promise<Site> {
  const balancer = new FakeBalancer({} as Settings)
  const actions: string[] = []
  const dashboard = new Dashboard({
    balancer,
    operations: balancer,
    identity: { name: 'shop', pid: 1, version: '0.1.0' },
    names: [],
    onAction: (action) => actions.push(action),
  })
  const admin = await startAdmin({ host: '127.0.0.1', port: 0, explicit: true, names: [] }, balancer, undefined, undefined, dashboard)
  atSuiteEnd(async () => {
    dashboard.close()
    await admin.close()
  })
  const port = Number(new URL(admin.url as string).port)
  const own: Record<string, string> = {
    host: `127.0.0.1:${port}`,
    origin: `http://127.0.0.1:${port}`,
    'content-type': 'application/json',
    'sec-fetch-site': 'same-origin',
  }
  return { balancer, dashboard, port, own, actions, ask: (...args) => ask(port, ...args) }
}

function ask(port: number, method: string, path: string, headers: Headers = {}, body?: unknown): Promise<Answer> {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  const all = { host: `127.0.0.1:${port}`, ...headers, connection: 'close', 'content-length': String(Buffer.byteLength(text ?? '')) }
  // As a list, a header may be sent twice.
  const list = Object.entries(all).flatMap(([name, values]) => [values].flat().flatMap((value) => [name, value]))
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', method, path, headers: list }, (response) => {
      let received = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        received += chunk
      })
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text: received }))
    })
    sent.once('error', reject)
    sent.end(text)
  })
}

/** Opens a session with a token, as the page does. */
async function signIn(site: Site): Promise<Record<string, string>> {
  const { status, headers, text } = await site.ask('POST', '/dashboard/session', site.own, { token: site.dashboard.createToken() })
  assert.is(status, 200)
  const [cookie = ''] = headers['set-cookie'] ?? []
  return { ...site.own, cookie: cookie.split(';', 1)[0] as string, 'x-switchyard-key': JSON.parse(text).key }
}

/** Reads the stream until `close`. */
async function watch(
  port: number,
  headers: Record<string, string>,
): Promise<{ status: number; text(): string; isOver(): boolean; close(): void }> {
  return new Promise((resolve, reject) => {
    let text = ''
    let isOver = false
    const sent = request({ port, host: '127.0.0.1', path: '/dashboard/live', headers }, (response) => {
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.once('close', () => {
        isOver = true
      })
      resolve({ status: response.statusCode ?? 0, text: () => text, isOver: () => isOver, close: () => sent.destroy() })
    })
    sent.on('error', reject)
    sent.end()
  })
}

test('serves the page and its modules, with headers that keep other sites out', async () => {
  const { ask } = await siteOf()
  const { status, headers, text } = await ask('GET', '/')
  assert.is(status, 200)
  assert.match(text, '/dashboard/main.js')
  assert.match(headers['content-security-policy'] as string, /^default-src 'self';.*frame-ancestors 'none'/)
  assert.equal(
    [headers['x-frame-options'], headers['x-content-type-options'], headers['referrer-policy'], headers['cross-origin-resource-policy']],
    ['DENY', 'nosniff', 'no-referrer', 'same-origin'],
  )
  assert.is(headers['access-control-allow-origin'], undefined)
  for (const name of [
    'main.js',
    'style.css',
    'vendor/preact.js',
    'vendor/preact-hooks.js',
    'vendor/htm.js',
    'vendor/uplot.js',
    'vendor/licences.txt',
  ])
    assert.is((await ask('GET', `/dashboard/${name}`)).status, 200, name)
  const again = await ask('GET', '/', { 'if-none-match': headers.etag as string })
  assert.equal([again.status, again.text], [304, ''])
})

test('every import of the page names a file that is served', async () => {
  const { ask } = await siteOf()
  const seen = new Set<string>()
  const follow = async (path: string): Promise<void> => {
    if (seen.has(path)) return
    seen.add(path)
    const { status, text } = await ask('GET', path)
    assert.is(status, 200, path)
    for (const [, specifier] of text.matchAll(/(?:^|[;\n])import[^'"();]*["']([^"']+)["']/g))
      await follow(new URL(specifier as string, `http://a${path}`).pathname)
  }
  await follow('/dashboard/main.js')
  assert.ok(seen.size > 12, String(seen.size))
})

test('on loopback the live stream needs nothing, and begins with everything', async () => {
  const { own, port } = await siteOf()
  const stream = await watch(port, { host: own.host as string })
  await until(() => stream.text().includes('\n\n', 30), 5_000, 'the first event')
  stream.close()
  const hello = JSON.parse(/event: hello\ndata: (.*)/.exec(stream.text())?.[1] as string)
  assert.equal([hello.name, hello.hasSession, hello.view.health.severity], ['shop', false, 'good'])
})

test('a session may act, and its operation is logged', async () => {
  const site = await siteOf()
  const own = await signIn(site)
  const { status, text } = await site.ask('POST', '/dashboard/act/drain', own, { pool: 'web', slot: 1 })
  assert.is(status, 200, text)
  assert.equal(site.balancer.calls, ['drainSlot web/1'])
  assert.equal(site.actions, ['drain web/1'])
  await site.ask('POST', '/dashboard/act/scale', own, { pool: 'web', by: 1 })
  await site.ask('POST', '/dashboard/act/restart', own, { pool: 'web', slot: 0 })
  await site.ask('POST', '/dashboard/act/reload', own, {})
  assert.is(site.balancer.calls.length, 4)
})

test('an operation that fails answers with its reason', async () => {
  const site = await siteOf()
  site.balancer.outcomes.reload = () => Promise.reject(new Error('no room'))
  const { status, text } = await site.ask('POST', '/dashboard/act/reload', await signIn(site), {})
  assert.is(status, 409)
  assert.match(JSON.parse(text).message, 'no room')
})

test('the cookie is out of reach of scripts, other sites and other paths', async () => {
  const site = await siteOf()
  const { headers } = await site.ask('POST', '/dashboard/session', site.own, { token: site.dashboard.createToken() })
  assert.match(
    headers['set-cookie']?.[0] ?? '',
    new RegExp(`^switchyard_dashboard_${site.port}=[\\w-]{43}; Path=/dashboard; HttpOnly; SameSite=Strict; Max-Age=`),
  )
})

interface Attack {
  title: string
  status: number
  /** `own`: the headers of a page with a session. */
  headers(own: Record<string, string>, port: number): Headers
  method?: string
  path?: string
  body?: unknown
}

const without = (headers: Record<string, string>, ...names: string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)))

const attacks: readonly Attack[] = [
  { title: 'acting without a session', status: 401, headers: (own) => without(own, 'cookie', 'x-switchyard-key') },
  { title: 'a cookie that the app on another port has seen', status: 401, headers: (own) => without(own, 'x-switchyard-key') },
  { title: 'a key without its cookie', status: 401, headers: (own) => without(own, 'cookie') },
  {
    title: 'a cookie of the attacker',
    status: 401,
    headers: (own, port) => ({ ...own, cookie: `switchyard_dashboard_${port}=${'a'.repeat(43)}` }),
  },
  { title: 'DNS rebinding', status: 421, headers: (own) => ({ ...own, host: 'attacker.example', origin: 'http://attacker.example' }) },
  {
    title: 'another site',
    status: 403,
    headers: (own) => ({ ...own, origin: 'https://attacker.example', 'sec-fetch-site': 'cross-site' }),
  },
  {
    title: 'another port of this host',
    status: 403,
    headers: (own) => ({ ...own, origin: 'http://127.0.0.1:3000', 'sec-fetch-site': 'same-site' }),
  },
  {
    title: 'an old browser on another port',
    status: 403,
    headers: (own) => ({ ...without(own, 'sec-fetch-site'), origin: 'http://127.0.0.1:3000' }),
  },
  { title: 'no origin', status: 403, headers: (own) => without(own, 'origin') },
  { title: 'two origins', status: 403, headers: (own) => ({ ...own, origin: [own.origin as string, 'http://attacker.example'] }) },
  { title: 'two hosts', status: 400, headers: (own) => ({ ...own, host: [own.host as string, 'attacker.example'] }) },
  { title: 'a form', status: 415, headers: (own) => ({ ...own, 'content-type': 'application/x-www-form-urlencoded' }) },
  { title: 'a GET that acts', status: 405, headers: (own) => own, method: 'GET' },
  { title: 'stop, which has no button', status: 404, headers: (own) => own, path: '/dashboard/act/stop', body: { now: true } },
  { title: 'an inherited name', status: 404, headers: (own) => own, path: '/dashboard/act/__proto__' },
  { title: 'a large body', status: 413, headers: (own) => own, body: { pool: 'x'.repeat(5_000), slot: 0 } },
  { title: 'a body with other fields', status: 400, headers: (own) => own, body: { pool: 'web', slot: 0, now: true } },
  { title: 'a guessed token', status: 401, headers: (own) => own, path: '/dashboard/session', body: { token: 'guess' } },
  {
    title: 'a token in a form of another site',
    status: 403,
    headers: (own) => ({ ...own, origin: 'null' }),
    path: '/dashboard/session',
    body: { token: 'x' },
  },
]
for (const { title, status, headers, method = 'POST', path = '/dashboard/act/drain', body = { pool: 'web', slot: 0 } } of attacks)
  test(`refuses ${title}`, async () => {
    const site = await siteOf()
    const answer = await site.ask(method, path, headers(await signIn(site), site.port), method === 'GET' ? undefined : body)
    assert.is(answer.status, status, answer.text)
    assert.equal(site.balancer.calls, [])
    assert.equal(site.actions, [])
    assert.is(answer.headers['set-cookie'], undefined)
  })

test('refuses a token that was used', async () => {
  const site = await siteOf()
  const token = site.dashboard.createToken()
  assert.is((await site.ask('POST', '/dashboard/session', site.own, { token })).status, 200)
  const again = await site.ask('POST', '/dashboard/session', site.own, { token })
  assert.is(again.status, 401)
  assert.match(again.text, 'used already')
})

test('refuses to read for a client behind a proxy without a session, and for other sites', async () => {
  const site = await siteOf()
  const read = (headers: Record<string, string>) => site.ask('GET', '/dashboard/live', { host: site.own.host as string, ...headers })
  for (const name of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip'])
    assert.is((await read({ [name]: '127.0.0.1' })).status, 401, name)
  assert.is((await read({ host: 'attacker.example' })).status, 421)
  assert.is((await read({ 'sec-fetch-site': 'cross-site' })).status, 403)
  assert.is((await read({ origin: 'http://127.0.0.1:3000' })).status, 403)
  const stream = await watch(site.port, { ...(await signIn(site)), 'x-forwarded-for': '10.0.0.1' })
  assert.is(stream.status, 200)
  stream.close()
})

test('the stream of a client behind a proxy ends with its session', async () => {
  const site = await siteOf()
  const own = await signIn(site)
  const stream = await watch(site.port, { ...own, 'x-forwarded-for': '10.0.0.1' })
  assert.is((await site.ask('DELETE', '/dashboard/session', own, {})).status, 200)
  await until(() => stream.isOver(), 10_000, 'the end of the stream')
  assert.is((await site.ask('POST', '/dashboard/act/drain', own, { pool: 'web', slot: 0 })).status, 401)
})

test('serves no file outside of the page', async () => {
  const { ask } = await siteOf()
  const paths = [
    '/dashboard/../package.json',
    '/dashboard/%2e%2e/package.json',
    '/dashboard//etc/passwd',
    '/dashboard/vendor/../../index.js',
    '/dashboard/vendor/',
    '/dashboard/constructor',
  ]
  for (const path of paths) assert.is((await ask('GET', path)).status, 404, path)
})

test('too many pages are refused, and the other pages of the admin address answer', async () => {
  const site = await siteOf()
  const streams = await Promise.all(Array.from({ length: MAX_VIEWERS }, () => watch(site.port, { host: site.own.host as string })))
  assert.is((await site.ask('GET', '/dashboard/live', { host: site.own.host as string })).status, 503)
  assert.is((await site.ask('GET', '/livez')).status, 200)
  for (const stream of streams) stream.close()
  await until(
    async () => {
      const stream = await watch(site.port, { host: site.own.host as string })
      stream.close()
      return stream.status === 200
    },
    10_000,
    'room for a page',
  )
})

test('the loops are read only while a reader looks', async () => {
  const site = await siteOf()
  let readings = 0
  const { loops } = site.balancer
  site.balancer.loops = () => {
    readings++
    return loops.call(site.balancer)
  }
  const stream = await watch(site.port, { host: site.own.host as string })
  await until(() => readings > 3, 10_000, 'readings')
  stream.close()
  await until(
    async () => {
      const before = readings
      await new Promise((resolve) => setTimeout(resolve, 200))
      return readings === before
    },
    10_000,
    'the end of the readings',
  )
})

test.run()
