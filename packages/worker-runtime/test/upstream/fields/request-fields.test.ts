import type { IncomingMessage } from 'node:http'
import { assert, suite } from '../../../../../test/suite.ts'
import { answerFields, connectionOptions, trailerFields } from '../../../src/upstream/fields/hop-fields.ts'
import { type ClientFieldOptions, proxiedFields } from '../../../src/upstream/fields/request-fields.ts'

const test = suite('fields of upstream requests')

const options: ClientFieldOptions = {
  pseudonym: 'switchyard-up',
  trusts: (address) => address === '10.0.0.1',
  trustedProxies: ['10.0.0.1'],
  stripPrefix: undefined,
}

/** Enough of a parsed request. */
function requestOf(rawHeaders: string[], { remoteAddress = '192.0.2.1', method = 'GET', httpVersion = '1.1' } = {}): IncomingMessage {
  const headers: Record<string, string> = {}
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase()
    headers[name] = headers[name] === undefined ? (rawHeaders[at + 1] as string) : `${headers[name]}, ${rawHeaders[at + 1]}`
  }
  return { rawHeaders, headers, method, httpVersion, socket: { remoteAddress } } as unknown as IncomingMessage
}

function fieldsOf(rawHeaders: string[], more: Parameters<typeof requestOf>[1] = {}): Record<string, string> {
  const found = proxiedFields(requestOf(rawHeaders, more), undefined, false, options)
  if ('status' in found) throw new Error(found.reason)
  const { fields } = found
  return Object.fromEntries(Array.from({ length: fields.length / 2 }, (_, at) => [fields[2 * at], fields[2 * at + 1]]))
}

function statusOf(rawHeaders: string[], more: Parameters<typeof requestOf>[1] = {}): number | undefined {
  const found = proxiedFields(requestOf(rawHeaders, more), undefined, false, options)
  return 'status' in found ? found.status : undefined
}

test('a client is named, and its own claims are replaced', () => {
  const fields = fieldsOf([
    'Host',
    'a',
    'X-Forwarded-For',
    '6.6.6.6',
    'X_Real_IP',
    '6.6.6.6',
    'X-Forwarded-Proto',
    'https',
    'Forwarded',
    'for=6.6.6.6',
  ])
  assert.equal(fields, {
    'X-Forwarded-For': '192.0.2.1',
    'X-Forwarded-Proto': 'http',
    'X-Forwarded-Host': 'a',
    Forwarded: 'for=192.0.2.1;host=a;proto=http',
    Via: '1.1 switchyard-up',
  })
})

test('the claims of a trusted proxy are continued', () => {
  const claims = [
    'Host',
    'a',
    'X-Forwarded-For',
    '192.0.2.9',
    'X-Forwarded-Proto',
    'https',
    'X-Forwarded-Host',
    'b',
    'X-Real-IP',
    '192.0.2.9',
    'Via',
    '1.1 x',
  ]
  const fields = fieldsOf([...claims, 'Forwarded', 'for=192.0.2.9'], { remoteAddress: '10.0.0.1' })
  assert.equal(fields, {
    'X-Forwarded-For': '192.0.2.9, 10.0.0.1',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': 'b',
    'X-Real-IP': '192.0.2.9',
    Forwarded: 'for=192.0.2.9, for=10.0.0.1;host=a;proto=https',
    Via: '1.1 x, 1.1 switchyard-up',
  })
})

test('addresses of IPv6 stand in brackets, and mapped ones as IPv4', () => {
  assert.is(fieldsOf(['Host', 'a:80'], { remoteAddress: '2001:db8::1' }).Forwarded, 'for="[2001:db8::1]";host="a:80";proto=http')
  assert.is(fieldsOf(['Host', 'a'], { remoteAddress: '::ffff:192.0.2.1' })['X-Forwarded-For'], '192.0.2.1')
})

test('requests that are read in two ways are refused', () => {
  assert.is(statusOf(['Host', 'a', 'Transfer-Encoding', 'chunked', 'Content-Length', '5']), 400)
  assert.is(statusOf(['Host', 'a', 'Transfer-Encoding', 'gzip, chunked']), 501)
  assert.is(statusOf(['Host', 'a', 'Transfer-Encoding', 'chunked'], { httpVersion: '1.0' }), 400)
  assert.is(statusOf(['Host', 'a', 'Authorization', 'x', 'authorization', 'y']), 400)
  for (const host of ['', 'a b', 'a/b', 'a, b', 'u@a', 'a\\b', '[::1', 'a:b']) assert.is(statusOf(['Host', host]), 400, host)
  for (const host of ['a', 'a.b-c_d', 'a:80', '[::1]:80', '192.0.2.1', 'xn--a']) assert.is(statusOf(['Host', host]), undefined, host)
  assert.is(statusOf([], { httpVersion: '1.0' }), undefined)
})

test('a client cannot hide what is said of it behind more fields than servers read', () => {
  const many = (count: number) => ['Host', 'a', ...Array.from({ length: count - 1 }, (_, at) => [`X-${at}`, '1']).flat()]
  assert.is(statusOf(many(500)), undefined)
  assert.is(statusOf(many(501)), 431)
})

test('a loop ends', () => {
  assert.is(statusOf(['Host', 'a', 'Via', Array(7).fill('1.1 switchyard-up').join(', ')]), undefined)
  assert.is(statusOf(['Host', 'a', 'Via', Array(8).fill('1.1 switchyard-up').join(', ')]), 508)
})

test('a request without a body has a length where its method suggests one', () => {
  assert.is(fieldsOf(['Host', 'a'], { method: 'POST' })['Content-Length'], '0')
  assert.is(fieldsOf(['Host', 'a'])['Content-Length'], undefined)
})

test('Connection names fields to remove, but never those that frame the message', () => {
  assert.equal([...connectionOptions('close, X-A ,, Host, content-length')], ['close', 'x-a', ''])
  assert.equal(answerFields(['X-A', '1', 'B', '2', 'Connection', 'x-a', 'Keep-Alive', 't', 'Content-Length', '3'], 'x-a', false), [
    'B',
    '2',
    'Content-Length',
    '3',
  ])
  assert.equal(answerFields(['Content-Length', '3', 'B', '2'], undefined, true), ['B', '2'])
})

test('trailers that would change the message are removed', () => {
  assert.equal(trailerFields(['X-T', '1', 'Host', 'evil', 'content-length', '5', 'X_Forwarded_For', '6.6.6.6']), ['X-T', '1'])
})

test.run()
