// The lines of the access log, and what they never show.

import type { IncomingMessage } from 'node:http'
import { assert, suite } from '../../../../test/suite.ts'
import type { EndedEntry } from '../../src/access-log/access-entry.ts'
import { accessFields, unknownAccessFields } from '../../src/access-log/access-fields.ts'
import { accessLine } from '../../src/access-log/access-format.ts'

const test = suite('access format')
const context = { pool: 'web', slot: 3, routeOf: () => 'cart' }
const ENDED_MS = new Date(2026, 0, 31, 12, 0, 5).getTime()

interface Changes extends Partial<Omit<EndedEntry, 'entry'>> {
  readonly url?: string
  readonly headers?: readonly string[]
  readonly waitMs?: number
  readonly placement?: 'moved' | 'forwarded'
}

function ended({ url = '/a?b=1', headers = [], waitMs, placement, ...rest }: Changes = {}): EndedEntry {
  const request = { method: 'GET', httpVersion: '1.1', httpVersionMajor: 1, rawHeaders: [...headers] } as unknown as IncomingMessage
  const entry = { request, url, address: '10.0.0.1', beganMs: 0, waitMs, placement }
  return { entry, endedMs: ENDED_MS, serviceMs: 12.34, status: 200, bytes: 5, isAborted: false, ...rest }
}

test('combined, as nginx and Apache write it', () => {
  const line = accessLine('combined', context)
  const credentials = Buffer.from('ann:secret').toString('base64')
  const headers = ['Host', 'a', 'user-agent', 'curl/8', 'REFERER', 'http://b/', 'Authorization', `Basic ${credentials}`, 'Cookie', 'sid=1']
  assert.match(
    line(ended({ headers })),
    /^10\.0\.0\.1 - ann \[31\/Jan\/2026:12:00:05 [+-]\d{4}\] "GET \/a\?b=1 HTTP\/1\.1" 200 5 "http:\/\/b\/" "curl\/8"$/,
  )
  assert.match(line(ended({ bytes: undefined })), / - - \[.*\] "GET \/a\?b=1 HTTP\/1\.1" 200 - "-" "-"$/)
})

test('what a client sent ends no line and moves no cursor', () => {
  const headers = ['User-Agent', 'a"b\\c\x1b[2J\u009b31mé', 'Referer', 'x\r\nforged']
  for (const format of ['combined', 'json', '{agent} {referer}']) {
    const line = accessLine(format, context)(ended({ headers, url: '/"\x7f' }))
    assert.not.match(line, /[^\x20-\x7e]/, format)
  }
  assert.match(accessLine('{agent}|{url}', context)(ended({ headers, url: '/"' })), /^a\\x22b\\x5Cc\\x1B\[2J\\x9B31m\\xE9\|\/\\x22$/)
  const json = JSON.parse(accessLine('json', context)(ended({ headers })))
  assert.equal([json.agent, json.referer], [headers[1], headers[3]])
})

test('JSON leaves out what is unknown', () => {
  const line = accessLine('json', context)
  const base = { time: ENDED_MS, address: '10.0.0.1', method: 'GET', url: '/a?b=1', protocol: 'HTTP/1.1', status: 200, bytes: 5 }
  assert.equal(JSON.parse(line(ended())), { ...base, pool: 'web', slot: 3, route: 'cart', serviceMs: 12.3 })
  const full = ended({ headers: ['Host', 'shop'], waitMs: 40, placement: 'moved', isAborted: true, bytes: undefined, status: 499 })
  const { bytes, ...unsized } = base
  assert.equal(JSON.parse(line(full)), {
    ...{ ...unsized, status: 499, host: 'shop', pool: 'web', slot: 3, route: 'cart' },
    ...{ waitMs: 40, serviceMs: 12.3, placement: 'moved', aborted: true },
  })
})

test('every field of a template, and names that are none', () => {
  const line = accessLine('{pool}/{slot} {route} {method} {path} {status} {wait} {service} {placement} {host} {user}', context)
  assert.is(line(ended({ placement: 'forwarded' })), 'web/3 cart GET /a 200 - 12.3 forwarded - -')
  assert.is(line(ended({ waitMs: 7, headers: ['host', 'x'] })), 'web/3 cart GET /a 200 7 12.3 - x -')
  for (const field of accessFields) assert.not.match(accessLine(`{${field}}`, context)(ended()), /[{}]|undefined/, field)
  assert.equal(unknownAccessFields('{status} {cookie} {toString}'), ['cookie', 'toString'])
  assert.is(accessLine('{toString}', context)(ended()), '{toString}')
})

test.run()
