import fc from 'fast-check'
import { assert, suite } from '../../../test/suite.ts'
import { patternFault, RequestHead, type Route, type RouteMatch, RouteTable, routeName } from '../src/index.ts'
import { readRaw } from './fixtures.ts'

const test = suite('RouteTable')

function route(match: RouteMatch): Route<string> {
  return { match, pool: 'web', policy: '', name: routeName(match) }
}

function table(...matches: RouteMatch[]): RouteTable<string> {
  return new RouteTable(matches.map(route), { ...route({}), name: 'fallback' })
}

function nameFor(routes: RouteTable<string>, target: string, more: { method?: string; headers?: Record<string, string> } = {}): string {
  return routes.find(RequestHead.of({ target, ...more })).name
}

test('uses the first route that matches, or else the fallback', () => {
  const routes = table({ path: '/a/*' }, { path: '/a/b' }, { path: '/c' })
  assert.is(nameFor(routes, '/a/b'), '/a/*')
  assert.is(nameFor(routes, '/c?x'), '/c')
  assert.is(nameFor(routes, '/d'), 'fallback')
})

test('matches paths', () => {
  const cases: [pattern: string, path: string, matches: boolean][] = [
    ['/*', '/', true],
    ['/*', '/a/b', true],
    ['/', '/', true],
    ['/', '/a', false],
    ['/reports/*', '/reports', true],
    ['/reports/*', '/reports/', true],
    ['/reports/*', '/reports/1/2', true],
    ['/reports/*', '/reports2', false],
    ['/reports/*', '/REPORTS/1', true],
    ['/Reports', '/reports', true],
    ['/reports', '/reports/', true],
    ['/reports', '/reports/1', false],
    ['/reports/*', '/rep%6Frts/1', true],
    ['/reports/*', '//reports//1', true],
    ['/reports/*', '/%2Freports', true],
    ['/reports/*', '/reports/%zz', true],
    ['/rep%6Frts', '/reports', true],
    ['/users/:id', '/users/7', true],
    ['/users/:id', '/Users/7/', true],
    ['/users/:id', '/users', false],
    ['/users/:id', '/users/7/x', false],
    ['/users/:id?', '/users', true],
    ['/users/:id/*', '/users/7', true],
    ['/users/:id/*', '/users/7/a/b', true],
    ['/users/:id/*', '/users', false],
    ['/files/:name.json', '/files/a.json', true],
    ['/files/:name.json', '/files/axjson', false],
    ['/v1.0/:id', '/v1x0/7', false],
    ['/a(b/:id', '/a(b/7', true],
    ['/a/*/b', '/a/x/y/b', true],
    ['/a/*/b', '/a/b', false],
  ]
  for (const [pattern, path, matches] of cases) {
    assert.is(nameFor(table({ path: pattern }), path), matches ? pattern : 'fallback', `${pattern} ${path}`)
  }
})

test('compiles every pattern without fault, and refuses every other', () => {
  for (const pattern of ['reports', '', '/a?b', '/a#b', '/a*', '/*a', '/a/*/b/*/c', '/:', '/:a-b', '/:a*']) {
    assert.type(patternFault(pattern), 'string', pattern)
    assert.throws(() => table({ path: pattern }), /^path '|expected/)
  }
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'/a:*?.()[]{}+|^$\\%2F-') }), (text) => {
      const pattern = `/${text}`
      if (patternFault(pattern) === undefined) nameFor(table({ path: pattern }), '/a/b')
    }),
    { numRuns: 2000 },
  )
})

test('a long path costs little against every pattern', () => {
  const routes = table({ path: '/a/*/b' }, { path: '/:a/*/b' }, { path: '/:a/:b/:c/*' }, { path: '/*/b' })
  const before = process.cpuUsage()
  nameFor(routes, '/a/b'.repeat(4000).concat('c'))
  nameFor(routes, `/${'a'.repeat(16000)}`)
  assert.ok(process.cpuUsage(before).user < 500_000)
})

test('matches methods exactly, one or several', () => {
  const routes = table({ method: 'get', path: '/a' }, { method: ['PUT', 'HEAD'], path: '/a' })
  assert.is(nameFor(routes, '/a'), 'GET /a')
  assert.is(nameFor(routes, '/a', { method: 'HEAD' }), 'PUT|HEAD /a')
  assert.is(nameFor(routes, '/a', { method: 'get' }), 'fallback')
})

test('matches hosts, and hosts below a domain', () => {
  const routes = table({ host: 'API.example.com' }, { host: '*.example.com' }, { host: '*' })
  const cases: [string, string][] = [
    ['api.example.com:80', 'API.example.com/*'],
    ['a.b.Example.com', '*.example.com/*'],
    ['example.com', '*/*'],
    ['badexample.com', '*/*'],
  ]
  for (const [host, name] of cases) assert.is(nameFor(routes, '/', { headers: { host } }), name)
})

test('matches fields that are there, or have a value', () => {
  const routes = table({ header: { 'X-Kind': 'heavy' } }, { header: { 'x-kind': true, accept: true } })
  assert.is(nameFor(routes, '/', { headers: { 'x-kind': 'heavy' } }), '/* [X-Kind: heavy]')
  assert.is(nameFor(routes, '/', { headers: { 'x-kind': 'light', accept: '' } }), '/* [x-kind] [accept]')
  assert.is(nameFor(routes, '/', { headers: { 'x-kind': 'light' } }), 'fallback')
})

test('sends an untrusted head to the first catch-all route, or else to the fallback', () => {
  const heads = [RequestHead.addressOnly(), readRaw('GET /a HTTP/1.1\r\nHost: b\r\n c\r\n\r\n'), readRaw('\x16\x03\x01\x02\x00\x01')]
  for (const head of heads) {
    assert.is(table({ path: '/a/*' }, { method: 'GET' }, { path: '/*', host: 'b' }, { path: '/*' }).find(head).name, '/*')
    assert.is(table({}).find(head).name, '/*')
    assert.is(table({ header: { host: true } }).find(head).name, 'fallback')
  }
})

test('OPTIONS * and CONNECT, which have no path, match routes for every path only', () => {
  const routes = table({ path: '/a/*' }, { path: '/*' })
  assert.is(nameFor(routes, '*', { method: 'OPTIONS' }), '/*')
  assert.is(nameFor(routes, 'a:443', { method: 'CONNECT' }), '/*')
})

test('names routes after what they match', () => {
  assert.is(routeName({ method: 'POST', host: 'api.example.com', path: '/v2/*' }), 'POST api.example.com/v2/*')
  assert.is(routeName({}), '/*')
})

test('explains what it tried, in agreement with find', () => {
  const routes = table(
    { path: '/a/*' },
    { method: 'POST' },
    { host: 'a.com' },
    { host: '*.b.com' },
    { header: { x: '1' } },
    { header: { y: true } },
    { path: '/*' },
  )
  const { route: taken, tried } = routes.explain(RequestHead.of({ target: '/b', headers: { host: 'c.com' } }))
  assert.is(taken.name, '/*')
  assert.equal(
    tried.map(({ why }) => why),
    [
      'path /b is not /a/*',
      'method GET is not POST',
      'host c.com is not a.com',
      'host c.com is not *.b.com',
      'header x is not 1',
      'header y is missing',
      'matches',
    ],
  )
  assert.equal(table().explain(RequestHead.addressOnly()).tried.at(-1)?.why, 'no route matches')
})

test('find and explain agree on random tables', () => {
  const match = fc.record(
    {
      path: fc.constantFrom('/*', '/a', '/a/*', '/:x/b'),
      method: fc.constantFrom('GET', 'POST'),
      host: fc.constantFrom('a.com', '*.a.com'),
      header: fc.constantFrom({ x: true } as const, { x: '1' }),
    },
    { requiredKeys: [] },
  )
  const head = fc.record({
    target: fc.constantFrom('/', '/a', '/a/b', '/c'),
    method: fc.constantFrom('GET', 'POST'),
    headers: fc.record({ host: fc.constantFrom('a.com', 'b.a.com'), x: fc.constantFrom('1', '2') }, { requiredKeys: [] }),
  })
  fc.assert(
    fc.property(fc.array(match, { maxLength: 6 }), head, (matches, parts) => {
      const routes = table(...(matches as RouteMatch[]))
      const asked = RequestHead.of(parts)
      return routes.find(asked) === routes.explain(asked).route
    }),
  )
})

test.run()
