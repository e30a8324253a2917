// Cookies that the app sets are seen however it sets them, and reported once.

import { request as ask, createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { TicketSeal, visitorKey } from '@switchyard/routing'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import type { ToPrimary, WorkerRoute, WorkerStart } from '../../src/protocol.ts'
import type { Runtime } from '../../src/runtime.ts'
import { VisitorCache } from '../../src/steering/visitor-cache.ts'
import { learnedNames, VisitorCookies } from '../../src/steering/visitor-cookies.ts'
import { buildRoutes } from '../../src/steering/worker-routes.ts'

const test = suite('visitor cookies')
const routes: WorkerRoute[] = [
  { name: '/login', match: { path: '/login' }, pool: 'web' },
  {
    name: '/*',
    match: { path: '/*' },
    pool: 'web',
    learns: ['sid', 'other'],
    policy: { sticky: { by: { learn: 'sid' }, otherwise: { sticky: { by: { learn: 'other' } } } } },
  },
  { name: '(everything else)', match: {}, pool: 'heavy', learns: ['heavy'] },
]

const told: string[] = []
const start = { pool: 'web', slot: 2, generation: 0, routes, trustedProxies: [] } as unknown as WorkerStart
const runtime = {
  start,
  seal: new TicketSeal([{ id: 1, secret: 'secret' }]),
  send: (message: ToPrimary) => void (message.switchyard === 'learned' && told.push(...message.keys)),
} as unknown as Runtime

let visitors: VisitorCache
let server: Server
let answer: (response: ServerResponse) => void

test.before(async () => {
  visitors = new VisitorCache(start, () => performance.now())
  const cookies = new VisitorCookies(runtime, await buildRoutes(runtime, () => [], visitors), visitors)
  server = createServer((request, response) => {
    cookies.prepare(request, response)
    answer(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atSuiteEnd(() => server.close())
})

async function get(path: string, cookie?: string): Promise<string[]> {
  told.length = 0
  const { port } = server.address() as AddressInfo
  const headers = cookie === undefined ? {} : { cookie }
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    ask({ host: '127.0.0.1', port, path, headers, agent: false }, resolve).on('error', reject).end()
  })
  for await (const _ of response);
  return [...told]
}

const keyOf = (value: string, name = 'sid') => visitorKey(name, value)

test('the names are those of routes to the worker’s pool', () => {
  assert.equal(learnedNames(routes, 'web'), ['sid', 'other'])
  assert.equal(learnedNames(routes, 'heavy'), ['heavy'])
  assert.equal(learnedNames(routes, 'none'), [])
})

const ways: readonly [how: string, answer: (response: ServerResponse, value: string) => void][] = [
  ['setHeader', (response, value) => response.setHeader('Set-Cookie', `sid=${value}; Path=/`).end()],
  ['setHeader with a list', (response, value) => response.setHeader('set-cookie', ['a=b', `sid=${value}`]).end('body')],
  ['appendHeader', (response, value) => response.appendHeader('Set-Cookie', 'a=b').appendHeader('Set-Cookie', `sid=${value}`).end()],
  ['writeHead', (response, value) => response.writeHead(201, { 'Set-Cookie': [`sid=${value}`, 'a=b'] }).end()],
  ['writeHead with a raw list', (response, value) => response.writeHead(201, 'Fine', ['Set-Cookie', `sid=${value}`, 'X', 'y']).end()],
]
for (const [how, set] of ways) {
  test(`set by ${how}`, async () => {
    const value = how.replaceAll(' ', '-')
    answer = (response) => set(response, value)
    assert.equal(await get('/'), [keyOf(value)])
    assert.is(visitors.slotOf('web', 'sid', value), 2)
    assert.equal(await get('/'), [], 'told already')
  })
}

test('on any route, two at a time, and without other cookies', async () => {
  answer = (response) => response.setHeader('Set-Cookie', ['sid=one', 'other=two; Secure', 'heavy=three', 'sid=; Max-Age=0', 'x=y']).end()
  assert.equal(await get('/login'), [keyOf('one'), keyOf('two', 'other')])
})

test('a visitor with a cookie is known here, but only on a route that uses it', async () => {
  answer = (response) => response.end()
  assert.equal(await get('/login', 'sid=alice'), [])
  assert.is(visitors.slotOf('web', 'sid', 'alice'), undefined)
  assert.equal(await get('/', 'a=b; sid=alice; other='), [])
  assert.is(visitors.slotOf('web', 'sid', 'alice'), 2)
  assert.is(visitors.slotOf('web', 'other', ''), undefined)
})

test('a response without cookies reports nothing', async () => {
  answer = (response) => response.end('hello')
  assert.equal(await get('/'), [])
})

test.run()
