// The lines of the access log, and what they never show.

import type { IncomingMessage } from 'node:http'
import { assert, suite } from '../../../../test/suite.ts'
import { accessFields, unknownAccessFields } from '../../src/access-log/access-fields.ts'
import { lineFormat } from '../../src/access-log/access-format.ts'
import { EndedRequest } from '../../src/access-log/ended-request.ts'
import { LineBuffer, MAX_LINE_BYTES } from '../../src/access-log/line-buffer.ts'

const test = suite('access format')
const context = { pool: 'web', slot: 3, isProxy: false }
const ENDED_MS = new Date(2026, 0, 31, 12, 0, 5).getTime()

interface Facts {
  readonly url?: string
  readonly headers?: readonly string[]
  readonly address?: string
  readonly waitMs?: number
  readonly placement?: 'moved' | 'forwarded'
  readonly route?: string
  readonly endedMs?: number
  readonly status?: number
  readonly bytes?: number | undefined
  readonly isAborted?: boolean
}

/** Writes a line for each of the requests, with one buffer. */
function linesOf(format: string, all: readonly Facts[]): string[] {
  const ended = new EndedRequest()
  const bytes = new Uint8Array(64 * 1024)
  const buffer = new LineBuffer({ bytes, start: 0, end: { words: new Int32Array(1), index: 0 } })
  const write = lineFormat(format, context)
  for (const facts of all) {
    const { url = '/a?b=1', headers = [], address = '10.0.0.1', waitMs, placement, route = 'cart' } = facts
    const { endedMs = ENDED_MS, status = 200, isAborted = false } = facts
    const sent = 'bytes' in facts ? (facts.bytes ?? -1) : 5
    const request = { method: 'GET', httpVersion: '1.1', rawHeaders: [...headers], socket: {} } as unknown as IncomingMessage
    ended.fill(request, { url, address, isPeer: true, waitMs, placement, sentBefore: 0 }, route)
    ended.end(endedMs, 12.34, status, sent, isAborted)
    write(ended, buffer)
  }
  assert.is(buffer.lines, all.length)
  return Buffer.from(bytes.subarray(0, buffer.end)).toString('latin1').split('\n').slice(0, -1)
}

const lineOf = (format: string, facts: Facts = {}): string => linesOf(format, [facts])[0] as string

test('combined, as nginx and Apache write it', () => {
  const credentials = Buffer.from('ann:secret').toString('base64')
  const headers = ['Host', 'a', 'user-agent', 'curl/8', 'REFERER', 'http://b/', 'Authorization', `Basic ${credentials}`, 'Cookie', 'sid=1']
  assert.match(
    lineOf('combined', { headers }),
    /^10\.0\.0\.1 - ann \[31\/Jan\/2026:12:00:05 [+-]\d{4}\] "GET \/a\?b=1 HTTP\/1\.1" 200 5 "http:\/\/b\/" "curl\/8"$/,
  )
  assert.match(lineOf('combined', { bytes: undefined }), / - - \[.*\] "GET \/a\?b=1 HTTP\/1\.1" 200 - "-" "-"$/)
})

test('what a client sent ends no line and moves no cursor', () => {
  const headers = ['User-Agent', 'a"b\\c\x1b[2J\u009b31mé', 'Referer', 'x\r\nforged']
  for (const format of ['combined', 'json', '{agent} {referer}']) {
    const line = lineOf(format, { headers, url: '/"\x7f' })
    assert.not.match(line, /[^\x20-\x7e]/, format)
  }
  assert.match(lineOf('{agent}|{url}', { headers, url: '/"' }), /^a\\x22b\\x5Cc\\x1B\[2J\\x9B31m\\xE9\|\/\\x22$/)
  const json = JSON.parse(lineOf('json', { headers }))
  assert.equal([json.agent, json.referer], [headers[1], headers[3]])
})

test('JSON leaves out what is unknown', () => {
  const base = { time: ENDED_MS, address: '10.0.0.1', method: 'GET', url: '/a?b=1', protocol: 'HTTP/1.1', status: 200, bytes: 5 }
  assert.equal(JSON.parse(lineOf('json')), { ...base, pool: 'web', slot: 3, route: 'cart', serviceMs: 12.3 })
  const full = { headers: ['Host', 'shop'], waitMs: 40, placement: 'moved', isAborted: true, bytes: undefined, status: 499 } as const
  const { bytes, ...unsized } = base
  assert.equal(JSON.parse(lineOf('json', full)), {
    ...{ ...unsized, status: 499, host: 'shop', pool: 'web', slot: 3, route: 'cart' },
    ...{ waitMs: 40, serviceMs: 12.3, placement: 'moved', aborted: true },
  })
})

test('every field of a template, and names that are none', () => {
  const format = '{pool}/{slot} {route} {method} {path} {status} {wait} {service} {placement} {host} {user}'
  assert.is(lineOf(format, { placement: 'forwarded' }), 'web/3 cart GET /a 200 - 12.3 forwarded - -')
  assert.is(lineOf(format, { waitMs: 7, headers: ['host', 'x'] }), 'web/3 cart GET /a 200 7 12.3 - x -')
  for (const field of accessFields) assert.not.match(lineOf(`{${field}}`), /[{}]|undefined/, field)
  assert.equal(unknownAccessFields('{status} {cookie} {toString}'), ['cookie', 'toString'])
  assert.is(lineOf('{toString}'), '{toString}')
})

test('values that are kept from line to line: each line is as if it were alone', () => {
  // Each row changes one value, stays so for three lines, and changes it back. What is kept must never be that of another line.
  const changes: readonly Facts[] = [
    {},
    { url: '/other' },
    { headers: ['Host', 'a', 'User-Agent', 'u"1', 'Referer', 'r'] },
    { headers: ['Host', 'b', 'User-Agent', 'u"1', 'Referer', 'r'] },
    { headers: ['Authorization', `Basic ${Buffer.from('eve:x').toString('base64')}`] },
    { address: '::1' },
    { waitMs: 0 },
    { waitMs: 12 },
    { placement: 'moved' },
    { placement: 'forwarded', route: 'other' },
    { status: 404, bytes: 1_234_567 },
    { bytes: undefined },
    { bytes: 0 },
    { isAborted: true, status: 499 },
    { endedMs: ENDED_MS + 999 },
    { endedMs: ENDED_MS + 1001 },
    { endedMs: ENDED_MS - 5000 },
  ]
  const all = [...changes.flatMap((one) => [one, one, one]), ...changes, ...changes.flatMap((one) => [one, {}, one])]
  for (const format of ['combined', 'json', ...accessFields.map((field) => `x {${field}} {host}`), '{address} {iso} {user} {wait}']) {
    const alone = all.map((facts) => lineOf(format, facts))
    assert.equal(linesOf(format, all), alone, format)
  }
})

test('a line is cut, wherever its bound falls, and the next one is whole', () => {
  for (const length of [8_000, 8_100, 8_180, 8_192, 9_000, 20_000])
    for (const fill of ['y', '"']) {
      const url = `/${fill.repeat(length)}`
      for (const format of ['combined', 'json']) {
        const [first, second, third, fourth] = linesOf(format, [{ url, waitMs: 1 }, { url, waitMs: 1 }, { waitMs: 1 }, { waitMs: 1 }])
        assert.ok((first as string).length <= MAX_LINE_BYTES, `${format} ${length}`)
        assert.is(second, first)
        assert.equal([third, fourth], [lineOf(format, { waitMs: 1 }), lineOf(format, { waitMs: 1 })], `${format} ${length}`)
      }
    }
})

test.run()
