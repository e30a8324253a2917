import { assert, suite } from '../../../../../test/suite.ts'
import { answerRewriting, type RewritingOptions } from '../../../src/upstream/fields/answer-rewriting.ts'

const test = suite('rewriting of answers')

const OPTIONS: RewritingOptions = { stripPrefix: '/api', addPrefix: undefined, hidesHost: true, locations: true, cookies: true }
const NAMES = { upstream: { protocol: 'http', host: '10.0.0.7:8080' }, client: { protocol: 'https', host: 'shop.example' } } as const

/** The value of a field after rewriting. */
function rewritten(name: string, value: string, changes: Partial<RewritingOptions> = {}): string | undefined {
  const fields = ['X-First', '/', name, value]
  answerRewriting({ ...OPTIONS, ...changes })?.(fields, () => NAMES)
  assert.is(fields[1], '/')
  return fields[3]
}

const locations: [from: string, to: string, changes?: Partial<RewritingOptions>][] = [
  ['/login?a=/x', '/api/login?a=/x'],
  ['/', '/api/'],
  ['login', 'login'],
  ['//other.example/x', '//other.example/x'],
  ['', ''],
  ['http://10.0.0.7:8080/login', 'https://shop.example/api/login'],
  ['HTTP://10.0.0.7:8080', 'https://shop.example/api/'],
  ['http://10.0.0.7:8080?x', 'https://shop.example/api/?x'],
  ['https://10.0.0.7:8080/login', 'https://10.0.0.7:8080/login'],
  ['http://10.0.0.7/login', 'http://10.0.0.7/login'],
  ['https://shop.example/login', 'https://shop.example/api/login'],
  ['http://other.example/login', 'http://other.example/login'],
  ['/app/login', '/api/login', { addPrefix: '/app' }],
  ['/app', '/api/', { addPrefix: '/app' }],
  ['/apple', '/apple', { addPrefix: '/app' }],
  ['/app/login', '/login', { addPrefix: '/app', stripPrefix: undefined }],
  ['/login', '/login', { locations: false }],
]

for (const [from, to, changes] of locations)
  test(`Location ${from} ${JSON.stringify(changes ?? {})}`, () => assert.is(rewritten('Location', from, changes), to))

const cookies: [from: string, to: string, changes?: Partial<RewritingOptions>][] = [
  ['a=1', 'a=1'],
  ['a=/; Path=/; HttpOnly', 'a=/; Path=/api; HttpOnly'],
  ['a=1; PATH = /in; Secure', 'a=1; Path=/api/in; Secure'],
  ['a=1; Path=in', 'a=1; Path=in'],
  ['a=1; Domain=10.0.0.7; Path=/', 'a=1; Path=/api'],
  ['a=1; Domain=other.example', 'a=1; Domain=other.example'],
  ['a=1; Domain=10.0.0.7', 'a=1; Domain=10.0.0.7', { hidesHost: false }],
  ['__Host-a=1; Path=/; Secure', '__Host-a=1; Path=/; Secure'],
  ['a=1; Path=/app/in', 'a=1; Path=/api/in', { addPrefix: '/app' }],
  ['a=1; Path=/', 'a=1; Path=/api', { addPrefix: '/app' }],
  ['a=1; Path=/', 'a=1; Path=/', { addPrefix: '/app', stripPrefix: undefined }],
  ['a=1; Path=/', 'a=1; Path=/', { cookies: false }],
]

for (const [from, to, changes] of cookies)
  test(`Set-Cookie ${from} ${JSON.stringify(changes ?? {})}`, () => assert.is(rewritten('set-cookie', from, changes), to))

test('nothing is done where clients and servers see the same names', () => {
  assert.is(answerRewriting({ ...OPTIONS, stripPrefix: undefined, hidesHost: false }), undefined)
  assert.is(answerRewriting({ ...OPTIONS, locations: false, cookies: false }), undefined)
})

test.run()
