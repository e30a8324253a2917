// Routes that ask over which listener a connection came.

import { assert, suite } from '../../../test/suite.ts'
import { type ListenerAddress, RequestHead, type Route, type RouteMatch, RouteTable, routeName } from '../src/index.ts'
import { readRaw } from './fixtures.ts'

const test = suite('RouteTable, by listener')

function table(...routes: [match: RouteMatch, pool: string][]): RouteTable<string> {
  const all = routes.map(([match, pool]): Route<string> => ({ match, pool, policy: '', name: routeName(match) }))
  return new RouteTable(all, { match: {}, pool: 'web', policy: '', name: 'fallback' })
}

function from(head: RequestHead, listener: ListenerAddress | undefined): RequestHead {
  head.listener = listener
  return head
}

const cases: [listener: number | string, address: ListenerAddress | undefined, matches: boolean][] = [
  [4000, { port: 4000 }, true],
  [4000, { host: '127.0.0.1', port: 4000 }, true],
  [4000, { host: '::', port: 4001 }, false],
  [4000, { path: '/run/4000' }, false],
  [4000, undefined, false],
  ['4000', { port: 4000 }, true],
  ['*:4000', { host: '::1', port: 4000 }, true],
  ['127.0.0.1:4000', { host: '127.0.0.1', port: 4000 }, true],
  ['127.0.0.1:4000', { port: 4000 }, false],
  ['127.0.0.1:4000', { host: '127.0.0.2', port: 4000 }, false],
  ['[::1]:4000', { host: '::1', port: 4000 }, true],
  ['[::]:4000', { port: 4000 }, true],
  ['localhost:4000', { host: '127.0.0.1', port: 4000 }, true],
  ['localhost:4000', { host: '::1', port: 4000 }, true],
  ['localhost:4000', { host: 'localhost', port: 4000 }, true],
  ['LocalHost:4000', { host: 'localhost', port: 4000 }, true],
  ['localhost:4000', { host: '10.0.0.1', port: 4000 }, false],
  ['/run/app.sock', { path: '/run/app.sock' }, true],
  ['/run/app.sock', { path: '/run/other.sock' }, false],
  ['/run/app.sock', undefined, false],
]
for (const [listener, address, matches] of cases) {
  test(`${listener} ${matches ? 'matches' : 'does not match'} ${JSON.stringify(address)}`, () => {
    const routes = table([{ listener }, 'admin'])
    assert.is(routes.find(from(RequestHead.of({ target: '/' }), address)).pool, matches ? 'admin' : 'web')
    assert.is(routes.find(from(RequestHead.addressOnly(), address)).pool, matches ? 'admin' : 'web')
  })
}

test('a listener combines with the other conditions', () => {
  const routes = table(
    [{ listener: 4000, path: '/metrics', method: 'GET' }, 'metrics'],
    [{ listener: 4000 }, 'admin'],
    [{ path: '/api/*' }, 'api'],
  )
  const pool = (port: number, target: string, method = 'GET') => routes.find(from(RequestHead.of({ target, method }), { port })).pool
  assert.equal(
    [pool(4000, '/metrics'), pool(4000, '/metrics', 'POST'), pool(4000, '/api/x'), pool(3000, '/api/x'), pool(3000, '/metrics')],
    ['metrics', 'admin', 'admin', 'api', 'web'],
  )
})

test('a head that cannot be trusted is routed by its listener', () => {
  const routes = table([{ listener: 4000, path: '/a' }, 'a'], [{ listener: 4000 }, 'admin'], [{ path: '/*' }, 'rest'])
  const ambiguous = () => readRaw('GET /a HTTP/1.1\r\nHost: x\r\n y\r\n\r\n')
  assert.ok(ambiguous().ambiguous)
  assert.is(routes.find(from(ambiguous(), { port: 4000 })).pool, 'admin')
  assert.is(routes.find(from(ambiguous(), { port: 3000 })).pool, 'rest')
  const { route, tried } = routes.explain(from(ambiguous(), { port: 4000 }))
  assert.is(route.pool, 'admin')
  assert.equal(
    tried.map(({ why }) => why),
    ['the head cannot be trusted', 'matches'],
  )
})

test('a head with two hosts is refused only where a host or a path can decide the pool', () => {
  const twoHosts = () => from(RequestHead.of({ target: 'http://a.example/', headers: { host: 'b.example' } }), { port: 4000 })
  assert.is(table([{ listener: 4000 }, 'admin']).refuses(twoHosts()), false)
  assert.is(table([{ listener: 4000 }, 'admin'], [{ host: 'a.example' }, 'a']).refuses(twoHosts()), true)
})

test('the explanation names both addresses', () => {
  const routes = table([{ listener: '127.0.0.1:4000' }, 'admin'])
  assert.is(routes.explain(from(RequestHead.of({ target: '/' }), { port: 3000 })).tried[0]?.why, 'listener [::]:3000 is not 127.0.0.1:4000')
  assert.is(routes.explain(from(RequestHead.of({ target: '/' }), undefined)).tried[0]?.why, 'listener unknown is not 127.0.0.1:4000')
})

test('only a table that asks for listeners needs them', () => {
  assert.is(table([{ path: '/a' }, 'a']).usesListeners, false)
  assert.is(table([{ path: '/a' }, 'a'], [{ listener: '/run/a.sock' }, 'b']).usesListeners, true)
})

test('the source of a listener is asked once, and only when a route needs it', () => {
  let asked = 0
  const head = RequestHead.of({ target: '/a' })
  head.setListenerSource(4000, (port) => {
    asked++
    return { port }
  })
  assert.is(table([{ path: '/b' }, 'b']).find(head).pool, 'web')
  assert.is(asked, 0)
  const routes = table([{ listener: 4001 }, 'x'], [{ listener: 4000 }, 'admin'])
  assert.is(routes.find(head).pool, 'admin')
  assert.is(routes.find(head).pool, 'admin')
  assert.is(asked, 1)
})

test('the name of a route tells its listener', () => {
  assert.is(routeName({ listener: 4000 }), '/* on 4000')
  assert.is(routeName({ method: 'GET', host: 'a.example', path: '/x', listener: '/run/a.sock' }), 'GET a.example/x on /run/a.sock')
})

test.run()
