// The primary reads a head with its own scanner, the worker with Node's parser, and an app may read it differently again. If any of them reads a
// request of a route, the request must be routed by it or refused, as the first request of a connection and as a later one.

import { createServer, type IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'
import { parse } from 'node:url'
import { RequestHead, type Route, RouteTable, routeName } from '@switchyard/routing'
import fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import { chosenRuns, chosenSeed } from '../../../../test/support/random.ts'
import { MANY_HOSTS, traitsOf } from '../../src/server/requests/request-traits.ts'
import { headOf } from '../../src/steering/steering.ts'

const test = suite('routes of the primary and the worker')

const HOST = 'admin.example.com'
const routes = [{ path: '/admin/*' }, { host: HOST }].map(
  (match): Route<string> => ({ match, pool: 'admin', policy: '', name: routeName(match) }),
)
const table = new RouteTable(routes, { match: {}, pool: 'web', policy: '', name: 'rest' })

/** Feeds a parser and discards its output. */
class Line extends Duplex {
  override _read(): void {}
  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done()
  }
}

/** The first request that Node's parser finds in a text, if any. */
function parsed(text: string, insecureHTTPParser: boolean): IncomingMessage | undefined {
  let found: IncomingMessage | undefined
  const server = createServer({ insecureHTTPParser }, (request) => {
    found ??= request
  })
  server.on('upgrade', (request) => {
    found ??= request
  })
  server.on('connect', (request) => {
    found ??= request
  })
  server.on('clientError', () => {})
  const line = new Line()
  line.on('error', () => {})
  server.emit('connection', line)
  line.emit('data', Buffer.from(text, 'latin1'))
  line.destroy()
  return found
}

type Reader = (target: string, host: string) => string

/** Ways in which programs find the path of a request. */
const readers: Record<string, Reader> = {
  plain: (target) => target.split('?')[0] as string,
  url: (target, host) => new URL(target, `http://${host}`).pathname,
  'url, decoded': (target) => decodeURIComponent(new URL(target, 'http://x').pathname),
  'host and target': (target, host) => new URL(`http://${host}${target}`).pathname,
  'url.parse': (target) => parse(target).pathname ?? '',
  decoded: (target) => decodeURIComponent(target.split('?')[0] as string),
  'decoded, then ended': (target) => decodeURIComponent(target).split('?')[0] as string,
  'a router that ends at ;': (target) => target.replace(/^https?:\/\/.*?\//, '/').split(/[?;#]/)[0] as string,
  'slashes folded': (target) => (target.split('?')[0] as string).replace(/\/{2,}/g, '/'),
}

/** Does a program take the request for one that the routes are about? */
function reaches({ method, url = '', headers }: IncomingMessage): string | undefined {
  const host = headers.host ?? 'x'
  if (host.toLowerCase() === HOST) return 'host'
  // The target of CONNECT is an authority.
  if (method === 'CONNECT' && !url.includes('/')) return undefined
  for (const [name, read] of Object.entries(readers)) {
    try {
      if (/^\/admin(?:\/|$)/i.test(read(url, host))) return name
    } catch {
      // This program answers with an error.
    }
  }
  return undefined
}

function judge(head: RequestHead): string {
  return head.hasManyHosts || table.refuses(head) ? 'refused' : table.find(head).pool
}

/** The pool to which the primary sends the text; undefined: the primary does not route by it, and the worker decides. */
function byPrimary(text: string): string | undefined {
  const bytes = Buffer.from(text, 'latin1')
  const head = RequestHead.read(bytes, bytes.length, 16_384)
  if (head.outcome !== 'complete') return 'refused'
  return head.ambiguous && !head.hasManyHosts ? undefined : judge(head)
}

function byWorker(request: IncomingMessage): string {
  return (traitsOf(request.rawHeaders) & MANY_HOSTS) !== 0 ? 'refused' : judge(headOf(request))
}

/** Fails when a request can bypass the routes. */
function check(text: string, isLenient: boolean): string | undefined {
  const request = parsed(text, isLenient)
  if (request === undefined) return undefined
  const by = reaches(request)
  const [first, later] = [byPrimary(text), byWorker(request)]
  const said = `${JSON.stringify(text)} is ${request.method} ${request.url} to ${by ?? 'none'}`
  if (first !== undefined && first !== 'refused') assert.is(first, later, said)
  if (by !== undefined) assert.is.not(later, 'web', said)
  return by
}

const target = fc
  .array(
    fc.constantFrom(
      ...[
        '/',
        '/',
        'admin',
        'admin',
        'ADMIN',
        '..',
        '.',
        '%2e',
        '%2F',
        '%5c',
        '\\',
        ';',
        '?',
        '#',
        '%61dmin',
        'x',
        '//',
        ':',
        '@',
        '%',
        '%ff',
      ],
      ...['%3f', '%25', '\xe9', 'http://a', '*', '&'],
    ),
    { maxLength: 8 },
  )
  .map((pieces) => pieces.join(''))
const start = fc.constantFrom('/', '/', '/', '/x/', '', 'http://a/', `http://${HOST}/`, 'http://a', 'HTTP://A:80/', 'ftp://a/', '*')
const hostValue = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('a', 'a:80', 'A.', HOST, `${HOST}:80`, HOST.toUpperCase()) },
  fc
    .array(fc.constantFrom('a', HOST, '/', '\\', '?', '#', '@', ':', ' ', 'admin', '.', '%2e', ',', '\xe9', '\t'), { maxLength: 4 })
    .map((pieces) => pieces.join('')),
)
const name = fc.constantFrom('Host', 'host', 'HOST', 'Host ', ' Host', 'X', 'Content-Length', 'Transfer-Encoding', 'Cookie', 'Expect', '')
const field = fc
  .tuple(
    fc.oneof({ weight: 4, arbitrary: fc.constant('Host') }, name),
    hostValue,
    fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\r', '\r\n '),
  )
  .map(([key, value, end]) => `${key}: ${key.trim().toLowerCase() === 'host' || key === 'X' ? value : '0'}${end}`)
const head = fc
  .tuple(
    fc.constantFrom('', '', '', '\r\n', '\n'),
    fc.constantFrom('GET', 'GET', 'POST', 'OPTIONS', 'CONNECT', 'get'),
    fc.constantFrom(' ', ' ', ' ', '  ', '\t'),
    start,
    target,
    fc.constantFrom(' HTTP/1.1\r\n', ' HTTP/1.1\r\n', ' HTTP/1.0\r\n', ' HTTP/1.1\n', ' HTTP/2.0\r\n', '\r\n'),
    fc.array(field, { minLength: 1, maxLength: 3 }),
  )
  .map(([before, method, gap, first, rest, version, fields]) => `${before}${method}${gap}${first}${rest}${version}${fields.join('')}\r\n`)

test(
  'agree on every head that is parsed, and nothing gets around them',
  () => {
    const seen = new Map<string, number>()
    fc.assert(
      fc.property(head, fc.boolean(), (text, isLenient) => {
        const by = check(text, isLenient)
        if (by !== undefined) seen.set(by, (seen.get(by) ?? 0) + 1)
      }),
      { numRuns: chosenRuns(6000), seed: chosenSeed },
    )
    assert.ok(seen.size >= 6, `programs that would have been reached: ${[...seen.keys()].join(', ')} (seed ${chosenSeed})`)
  },
  { timeoutMs: 60_000 },
)

test('a field behind more than a thousand others counts for routing', () => {
  const many = Array.from({ length: 1_500 }, (_, index) => `a:${index % 10}\r\n`).join('')
  assert.is(byPrimary(`GET / HTTP/1.1\r\n${many}Host: ${HOST}\r\n\r\n`), 'admin')
})

test.run()
