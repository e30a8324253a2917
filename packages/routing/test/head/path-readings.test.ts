import { assert, suite } from '../../../../test/suite.ts'
import { readPath } from '../../src/head/path-readings.ts'
import { type Route, RouteTable, routeName } from '../../src/index.ts'
import { readRaw } from '../fixtures.ts'

const test = suite('path readings')

test('a plain path has one reading, which is the same string if it has that form already', () => {
  for (const [target, path] of [
    ['/', '/'],
    ['/a/b.c/', '/a/b.c'],
    ['/a?b=/../c;d', '/a'],
    ['/a#/..', '/a'],
    ['*', '*'],
    ['/A/b', '/a/b'],
    ['/a//b', '/a/b'],
    ['/.well-known/x', '/.well-known/x'],
    ['/..a/...', '/..a/...'],
    ['/a\xe9', '/a\xe9'],
  ] as const)
    assert.is(readPath(target), path, target)
})

test('an unusual path has every reading that a program has of it', () => {
  for (const [target, ...paths] of [
    ['/%61', '/%61', '/a'],
    ['/%61%ff', '/%61%ff', '/a%ff'],
    ['/a%2fb', '/a%2fb', '/a/b'],
    ['/a/../b', '/a/../b', '/b'],
    ['/a/./b', '/a/./b', '/a/b'],
    ['/a/%2E%2e/b', '/a/%2e%2e/b', '/a/../b', '/b'],
    ['/a/..%2fb', '/a/..%2fb', '/a/../b', '/b'],
    ['/a//../b', '/a/../b', '/a/b', '/b'],
    ['/a\\..\\b', '/a\\..\\b', '/a/../b', '/b'],
    ['/a%5cb', '/a%5cb', '/a\\b', '/a/b'],
    ['//a/b', '/a/b', '/b'],
    ['/\\a/b', '/\\a/b', '/a/b', '/b'],
    ['/a;b/c', '/a;b/c', '/a', '/a/c'],
    ['/a%3fb', '/a%3fb', '/a?b', '/a'],
    ['/../..', '/../..', '/'],
  ] as const)
    assert.equal([readPath(target)].flat().toSorted(), paths.toSorted(), target)
})

test('a path with too many readings has none', () => {
  assert.equal(readPath('/a%2f%2e%2e\\..;/%3b//b/%3f/./'), [])
})

test('a long unusual path costs little', () => {
  const before = process.cpuUsage()
  for (const piece of ['/%2e%2e', '%2f', '\\..', ';a', '//..', '/%ff', '/../%5c;%3f'])
    for (let turn = 0; turn < 5; turn++) readPath(`/${piece.repeat(16_000 / piece.length)}`)
  assert.ok(process.cpuUsage(before).user < 1_500_000)
})

function table(...routes: (readonly [path: string, pool: string])[]): RouteTable<string> {
  const made = routes.map(([path, pool]): Route<string> => ({ match: { path }, pool, policy: '', name: routeName({ path }) }))
  return new RouteTable(made, { match: {}, pool: 'web', policy: '', name: 'fallback' })
}

/** The pool that a GET of this target goes to. */
function poolOf(routes: RouteTable<string>, target: string, host = 'a'): string {
  const head = readRaw(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  return routes.refuses(head) ? 'refused' : routes.find(head).pool
}

test('a route holds for every reading of a path', () => {
  const routes = table(['/admin/*', 'admin'])
  for (const target of [
    '/admin/../x',
    '/x/../admin/r',
    '/x/%2e%2e/admin/r',
    '/x\\..\\admin\\r',
    '/./..//admin/r',
    '/%61dmin/%ff',
    '//x/admin/r',
    '/x/..%2Fadmin',
    '/admin;x/y',
    'http://a/admin/r',
    'http://a//x/admin/r',
  ])
    assert.is(poolOf(routes, target), 'admin', target)
  for (const target of ['/', '/administrator', '/x/admin', '/x/../y', '/x%2Fadmin']) assert.is(poolOf(routes, target), 'web', target)
})

test('a head is refused whose readings belong to different pools', () => {
  const routes = table(['/admin/*', 'admin'], ['/shop/*', 'shop'], ['/*', 'web'])
  assert.is(poolOf(routes, '/shop/../admin'), 'refused')
  assert.is(poolOf(routes, '/admin/%2e%2e/shop'), 'refused')
  assert.is(poolOf(routes, '/shop/../shop/%C3%A9'), 'shop')
  assert.is(poolOf(routes, '/shop/a%2Fb;c'), 'shop')
  assert.is(poolOf(routes, '/', 'a/b'), 'refused')
  assert.is(poolOf(routes, 'http://b/'), 'refused')
  assert.is(poolOf(routes, '/a%2f%2e%2e\\..;/%3b//b/%3f/./'), 'refused')
})

test('with one pool nothing is refused', () => {
  const routes = table(['/admin/*', 'web'])
  for (const target of ['/shop/../admin', 'http://b/']) assert.is(poolOf(routes, target), 'web')
  assert.is(poolOf(routes, '/', 'a/b'), 'web')
})

test.run()
