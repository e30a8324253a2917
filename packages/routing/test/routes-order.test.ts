// The table tries only the routes that fit a path's first segment. The result is compared with a plain scan of all routes in order.

import fc from 'fast-check'
import { assert, suite } from '../../../test/suite.ts'
import { chosenRuns, chosenSeed } from '../../../test/support/random.ts'
import { comparedPath, readPath } from '../src/head/path-readings.ts'
import { patternFault, RequestHead, type Route, type RouteMatch, RouteTable, routeName } from '../src/index.ts'
import { compilePattern } from '../src/path-pattern.ts'
import { readRaw } from './fixtures.ts'

const test = suite('RouteTable, in order')

const LITERALS = ['', 'a', 'b', 'A', 'ab', 'a.json', 'c*', '%61', '%2Fa', 'a%2Fb', '%zz', '%', '%3Aid', '%2A', 'σ', 'ς', 'Σ', '\u212a', 'k']
const literal = fc.constantFrom(...LITERALS)

const pattern = fc
  .oneof(
    fc.constantFrom(
      '*',
      '/*',
      '//*',
      '/',
      '/:id?',
      '/:id',
      '/a/*',
      '/a',
      '/:name.json',
      '/a/:id',
      '/a/:id?',
      '/*/b',
      '/σ/:id',
      '/k/:id?/*',
    ),
    fc.array(fc.oneof({ weight: 4, arbitrary: literal }, fc.constantFrom(':id', ':id?', ':name.json', '*')), { maxLength: 4 }).map(joined),
  )
  .filter((text) => patternFault(text) === undefined)

const match: fc.Arbitrary<RouteMatch> = fc.record(
  { path: pattern, method: fc.constantFrom('GET', 'CONNECT'), host: fc.constantFrom('a.com', '*.a.com') },
  { requiredKeys: [] },
)

const target = fc
  .tuple(
    fc.array(fc.oneof(literal, fc.constantFrom('42', ':id', '*', 'constructor', '__proto__')), { maxLength: 4 }),
    fc.constantFrom('', '/', '?', '/?b=/A', '#', '//#a?b'),
  )
  .map(([segments, end]) => joined(segments) + end)

const head = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .record({
        target,
        method: fc.constantFrom('GET', 'POST'),
        headers: fc.record({ host: fc.constantFrom('a.com', 'b.a.com') }, { requiredKeys: [] }),
      })
      .map((parts) => RequestHead.of(parts)),
  },
  fc.constantFrom(
    RequestHead.of({ method: 'CONNECT', target: 'a.com:443' }),
    RequestHead.of({ method: 'CONNECT', target: '/a' }),
    RequestHead.of({ method: 'OPTIONS', target: '*' }),
    RequestHead.of({ target: 'http://a.com/a' }),
    RequestHead.addressOnly(),
    readRaw('GET /a HTTP/1.1\r\nHost: a.com\r\nHost: b.a.com\r\n\r\n'),
    readRaw('GET /a/%62 HTTP/1.1\r\nHost: a.com\r\n\r\n'),
  ),
)

function joined(segments: readonly string[]): string {
  return `/${segments.join('/')}`
}

/** Does this route match when it is alone? By definition, without shortcuts. */
function takes({ path, method, host }: RouteMatch, asked: RequestHead): boolean {
  const everyPath = path === undefined || path === '*' || path === '/*'
  if (asked.ambiguous || asked.outcome !== 'complete') return everyPath && method === undefined && host === undefined
  return (
    (everyPath || [asked.paths ?? []].flat().some((reading) => compilePattern(path).test(reading))) &&
    (method === undefined || method === asked.method) &&
    (host === undefined || (host === 'a.com' ? asked.host === host : asked.host === 'b.a.com'))
  )
}

test('finds the first route that matches, as a plain scan does', () => {
  const fallback: Route<number> = { match: {}, pool: 'web', policy: -1, name: 'fallback' }
  const seen = new Set<string>()
  fc.assert(
    fc.property(fc.array(match, { maxLength: 12 }), fc.array(head, { minLength: 1, maxLength: 8 }), (matches, heads) => {
      const routes = matches.map((one, index): Route<number> => ({ match: one, pool: 'web', policy: index, name: routeName(one) }))
      const table = new RouteTable(routes, fallback)
      for (const asked of heads) {
        const expected = routes.find((route) => takes(route.match, asked)) ?? fallback
        assert.is(table.find(asked), expected, `${asked.method} ${asked.target} in ${routes.map(({ name }) => name).join(' ')}`)
        assert.is(table.explain(asked).route, expected)
        seen.add(expected.name)
      }
    }),
    { numRuns: chosenRuns(1000), seed: chosenSeed },
  )
  assert.ok(seen.size > 50, `only ${seen.size} different routes were ever taken (seed ${chosenSeed})`)
})

test('finds a route by letters that are the same in capitals only', () => {
  const table = new RouteTable([{ match: { path: '/σ/:id' }, pool: 'web', policy: 0, name: 'sigma' }], {
    match: {},
    pool: 'web',
    policy: 1,
    name: '',
  })
  for (const path of ['/σ/7', '/ς/7', '/Σ/7']) assert.is(table.find(RequestHead.of({ target: path })).name, 'sigma', path)
})

test('a path is compared in the form that patterns have, however fast it is found', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        target,
        fc.string({ unit: 'binary' }).map((text) => `/${text}`),
      ),
      (text) => {
        const path = text.slice(0, /[?#]|$/.exec(text)?.index)
        const readings = [readPath(text)].flat()
        assert.ok(readings.length === 0 || readings.includes(comparedPath(path)), JSON.stringify([text, readings]))
      },
    ),
    { numRuns: chosenRuns(1000), seed: chosenSeed },
  )
  assert.is(readPath('*'), '*')
})

test.run()
