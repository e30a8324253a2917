// A ClientHello as routing reads it: hellos of real clients, every cut and truncation, faults, and bytes without sense.

import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import { chosenRuns, chosenSeed } from '../../../../test/support/random.ts'
import { type ClientHello, type HelloReading, helloIn, helloText, helloWith, RequestHead, readClientHello } from '../../src/index.ts'
import {
  alpn,
  extension,
  type HelloParts,
  hello,
  helloBody,
  message,
  number,
  preSharedKeys,
  records,
  serverName,
  vector,
} from './hello-bytes.ts'

const test = suite('ClientHello')

const NOTHING: ClientHello = { serverName: undefined, protocols: [], ticketNames: [], hasEch: false }
const CAPTURED = new URL('hellos/', import.meta.url)
const TICKET = Buffer.from(Array.from({ length: 200 }, (_, index) => index))
const NAME = new Uint8Array(TICKET.subarray(0, 16))

function reading(bytes: Uint8Array): HelloReading {
  return readClientHello(bytes, bytes.length)
}

const capturedReadings: Record<string, Partial<ClientHello>> = {
  'node20.bin': { serverName: 'app.example.com', protocols: ['h2', 'http/1.1'] },
  'node24.bin': { serverName: 'pq.example.org' },
  'openssl.bin': { serverName: 'a.example.org', protocols: ['h2', 'http/1.1'] },
  'openssl12.bin': {},
  'curl.bin': { serverName: 'b.example.org', protocols: ['h2', 'http/1.1'] },
  'chromium.bin': { serverName: 'c.example.org', protocols: ['h2', 'http/1.1'], hasEch: true },
}

test('hellos of Node, OpenSSL, curl and Chromium, also with post-quantum keys, are read', () => {
  assert.equal(readdirSync(CAPTURED).sort(), Object.keys(capturedReadings).sort())
  for (const [file, expected] of Object.entries(capturedReadings)) {
    assert.equal(reading(readFileSync(new URL(file, CAPTURED))), { ...NOTHING, ...expected }, file)
  }
})

test('every truncation of a real hello is incomplete, and every byte behind it is ignored', () => {
  for (const file of readdirSync(CAPTURED)) {
    const bytes = readFileSync(new URL(file, CAPTURED))
    const whole = reading(bytes)
    for (let end = 0; end < bytes.length; end++) assert.is(readClientHello(bytes, end), 'incomplete', `${file} ${end}`)
    assert.equal(reading(Buffer.concat([bytes, Buffer.from('GET / HTTP/1.1\r\n\r\n')])), whole)
    assert.equal(readClientHello(bytes, bytes.length + 9), whole)
  }
})

test('a hello may come in records of any size, and each truncation of them is incomplete', () => {
  const body = message(helloBody({ serverName: 'a.example.com', protocols: ['h2'], identities: [TICKET] }))
  const whole = { ...NOTHING, serverName: 'a.example.com', protocols: ['h2'], ticketNames: [NAME] }
  for (const size of [1, 2, 3, 4, 5, 7, 64, body.length - 1, body.length]) {
    const bytes = records(body, size)
    assert.equal(reading(bytes), whole, `records of ${size}`)
    for (let end = 0; end < bytes.length; end++) assert.is(readClientHello(bytes, end), 'incomplete', `${size}: ${end}`)
  }
})

const GOOD: [why: string, parts: HelloParts, expected: Partial<ClientHello>][] = [
  ['nothing', {}, {}],
  ['no extensions at all', { isBare: true }, {}],
  ['a name in capitals', { serverName: 'SHOP.Example.COM' }, { serverName: 'shop.example.com' }],
  ['a name with a final dot', { serverName: 'example.com.' }, { serverName: 'example.com' }],
  ['a name of one label', { serverName: 'localhost' }, { serverName: 'localhost' }],
  ['a name with an underscore', { serverName: 'a_b.example.com' }, { serverName: 'a_b.example.com' }],
  ['an IPv4 address as name', { serverName: '10.0.0.1' }, {}],
  ['an IPv6 address as name', { serverName: '::1' }, {}],
  ['NUL in a name', { serverName: 'a.example.com\0.evil.com' }, {}],
  ['a space in a name', { serverName: 'a b' }, {}],
  ['an empty label', { serverName: 'a..b' }, {}],
  ['a name of dots', { serverName: '..' }, {}],
  ['a label that is too long', { serverName: `${'a'.repeat(64)}.com` }, {}],
  ['a name that is too long', { serverName: 'abc.'.repeat(80) }, {}],
  ['a name of 8,000 bytes', { serverName: 'a'.repeat(8_000) }, {}],
  ['a name outside ASCII', { serverName: 'b\xfccher.example' }, {}],
  ['the wildcard', { serverName: '*.example.com' }, {}],
  ['protocols in order', { protocols: ['http/1.1', 'h2', 'acme-tls/1'] }, { protocols: ['http/1.1', 'h2', 'acme-tls/1'] }],
  ['GREASE as protocol', { protocols: ['\xfa\xfa', 'h2'] }, { protocols: ['\xfa\xfa', 'h2'] }],
  ['an empty ticket', { ticket: Buffer.alloc(0) }, {}],
  ['a ticket of TLS 1.2', { ticket: TICKET }, { ticketNames: [NAME] }],
  ['tickets of TLS 1.3', { identities: [TICKET, Buffer.alloc(32, 5)] }, { ticketNames: [NAME, new Uint8Array(16).fill(5)] }],
  ['a key that both sides agreed on elsewhere', { identities: [Buffer.from('client-7'), TICKET] }, { ticketNames: [NAME] }],
  ['both kinds of tickets', { ticket: Buffer.alloc(16, 1), identities: [TICKET] }, { ticketNames: [new Uint8Array(16).fill(1), NAME] }],
  ['ECH', { serverName: 'public.example', hasEch: true }, { serverName: 'public.example', hasEch: true }],
  [
    'an unknown extension twice',
    { extensions: [extension(0x1a1a), extension(0x1a1a, Buffer.alloc(1))], protocols: ['h2'] },
    { protocols: ['h2'] },
  ],
]

test('names, protocols, tickets and ECH are read as the client sends them', () => {
  for (const [why, parts, expected] of GOOD) assert.equal(reading(hello(parts)), { ...NOTHING, ...expected }, why)
})

test('at most 32 protocols and 8 tickets count', () => {
  const many = reading(hello({ protocols: Array.from({ length: 2_000 }, (_, index) => `p${index}`) })) as ClientHello
  assert.equal([many.protocols.length, many.protocols[31]], [32, 'p31'])
  const tickets = reading(hello({ identities: Array.from({ length: 100 }, () => TICKET.subarray(0, 20)) })) as ClientHello
  assert.is(tickets.ticketNames.length, 8)
})

test('what is read stays right when the buffer is used again', () => {
  const bytes = hello({ serverName: 'a.example', identities: [TICKET] })
  const read = reading(bytes) as ClientHello
  bytes.fill(0)
  assert.equal(read, { ...NOTHING, serverName: 'a.example', ticketNames: [NAME] })
})

/** Bodies that have a hello's header. */
function raw(...parts: readonly Uint8Array[]): Buffer {
  return records(message(Buffer.concat(parts)))
}

function withExtensions(...extensions: readonly Buffer[]): Buffer {
  return hello({ extensions })
}

const FIXED = helloBody({ isBare: true })
const FAULTY: [why: string, bytes: Buffer][] = [
  ['an empty message', raw()],
  ['a body that ends in the random', raw(Buffer.alloc(33))],
  ['a session id of 33 bytes', raw(Buffer.alloc(34), vector(1, Buffer.alloc(33)), vector(2, number(2, 1)), vector(1, number(1, 0)))],
  ['no cipher suite', raw(Buffer.alloc(34), vector(1), vector(2), vector(1, number(1, 0)))],
  ['half a cipher suite', raw(Buffer.alloc(34), vector(1), vector(2, Buffer.alloc(3)), vector(1, number(1, 0)))],
  ['no compression method', raw(Buffer.alloc(34), vector(1), vector(2, number(2, 1)), vector(1))],
  ['bytes behind the extensions', raw(FIXED, vector(2), Buffer.alloc(1))],
  ['extensions that are longer than the message', raw(FIXED, number(2, 1))],
  ['half an extension', raw(FIXED, vector(2, number(2, 0), Buffer.alloc(1)))],
  ['an extension that is longer than its list', raw(FIXED, vector(2, number(2, 77), number(2, 9)))],
  ['a server name without list', withExtensions(extension(0))],
  ['an empty list of names', withExtensions(extension(0, vector(2)))],
  ['an empty name', withExtensions(serverName(''))],
  [
    'two names',
    withExtensions(extension(0, vector(2, number(1, 0), vector(2, Buffer.from('a')), number(1, 0), vector(2, Buffer.from('b'))))),
  ],
  ['a name of another type', withExtensions(extension(0, vector(2, number(1, 1), vector(2, Buffer.from('a')))))],
  ['bytes behind the list of names', withExtensions(extension(0, vector(2, number(1, 0), vector(2, Buffer.from('a'))), Buffer.alloc(1)))],
  ['two server names', withExtensions(serverName('a.example'), serverName('b.example'))],
  ['two lists of protocols', withExtensions(alpn('h2'), alpn('http/1.1'))],
  ['an empty list of protocols', withExtensions(alpn())],
  ['an empty protocol', withExtensions(alpn('h2', ''))],
  ['a protocol that is longer than its list', withExtensions(extension(16, vector(2, number(1, 9), Buffer.from('h2'))))],
  [
    'an identity that is longer than its list',
    withExtensions(extension(41, vector(2, number(2, 99), Buffer.alloc(9)), vector(2, vector(1)))),
  ],
  ['an identity without age', withExtensions(extension(41, vector(2, vector(2, Buffer.alloc(7))), vector(2, vector(1))))],
  ['an empty identity', withExtensions(preSharedKeys(Buffer.alloc(0), TICKET))],
  ['identities without binders', withExtensions(extension(41, vector(2, vector(2, TICKET), number(4, 0))))],
  ['identities that do not come last', withExtensions(preSharedKeys(TICKET), serverName('a.example'))],
  ['a message that is too long', records(Buffer.concat([number(1, 1), number(1, 0), number(2, 16_385)]))],
  ['an empty record', Buffer.from([22, 3, 1, 0, 0])],
  ['a record that is too long', Buffer.from([22, 3, 1, 0x40, 1])],
  ['a record of another type in between', Buffer.concat([records(message(FIXED).subarray(0, 9)), Buffer.from([21, 3, 1, 0, 2, 1, 0])])],
  ['a record of another version in between', Buffer.concat([records(message(FIXED).subarray(0, 9)), Buffer.from([22, 2])])],
  ['another handshake message', records(Buffer.from([2, 0, 0, 0]))],
  ['plain text', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
]

test('a faulty hello is invalid', () => {
  for (const [why, bytes] of FAULTY) assert.is(reading(bytes), 'invalid', why)
})

test('a hello is found with every truncation to be incomplete, or else invalid for good', () => {
  for (const [why, bytes] of FAULTY) {
    let seen: HelloReading = 'incomplete'
    for (let end = 0; end <= bytes.length; end++) {
      const now = readClientHello(bytes, end)
      if (seen === 'invalid') assert.is(now, 'invalid', `${why} ${end}`)
      seen = now
    }
  }
})

const partsOf: fc.Arbitrary<HelloParts> = fc.record(
  {
    serverName: fc.constantFrom('a.example', 'b.example', 'x'.repeat(300)),
    protocols: fc.array(fc.constantFrom('h2', 'http/1.1', 'acme-tls/1'), { minLength: 1, maxLength: 40 }),
    ticket: fc.uint8Array({ maxLength: 300 }),
    identities: fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 12 }),
    hasEch: fc.boolean(),
    extensions: fc.array(
      fc
        .tuple(fc.integer({ min: 42, max: 0xfdff }), fc.uint8Array({ maxLength: 1_200 }))
        .map(([type, content]) => extension(type, content)),
      { maxLength: 6 },
    ),
  },
  { requiredKeys: [] },
)

test('random hellos are read whole, whatever their records are', () => {
  const property = fc.property(partsOf, fc.integer({ min: 1, max: 2_000 }), (parts, size) => {
    const found = reading(hello(parts, size)) as ClientHello
    assert.is(found.serverName, parts.serverName?.startsWith('x') === true ? undefined : parts.serverName)
    assert.equal(found.protocols, parts.protocols?.slice(0, 32) ?? [])
    const tickets = [...(parts.ticket === undefined ? [] : [parts.ticket]), ...(parts.identities ?? [])]
    const names = tickets.filter(({ length }) => length >= 16).map((one) => new Uint8Array(one.subarray(0, 16)))
    assert.equal(found.ticketNames, names.slice(0, 8))
    assert.is(found.hasEch, parts.hasEch ?? false)
  })
  fc.assert(property, { seed: chosenSeed, numRuns: chosenRuns(300) })
})

test('a hello with random changes never throws, and a longer part of it never contradicts a shorter one', () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 })
  const property = fc.property(partsOf, fc.integer({ min: 1, max: 600 }), changes, fc.nat(), (parts, size, edits, cut) => {
    const bytes = hello(parts, size)
    for (const [at, byte] of edits) bytes[at % bytes.length] = byte
    const part = readClientHello(bytes, cut % (bytes.length + 1))
    const whole = reading(bytes)
    if (part !== 'incomplete') assert.equal(part, whole)
  })
  fc.assert(property, { seed: chosenSeed, numRuns: chosenRuns(2_000) })
})

test('bytes without sense never throw', () => {
  const tails = fc.uint8Array({ maxLength: 2_000 })
  const starts = fc.constantFrom([], [22], [22, 3, 1], [22, 3, 1, 0, 200, 1, 0, 0, 196], [22, 3, 3, 0, 4, 1, 0, 0, 255])
  const property = fc.property(starts, tails, (start, tail) => {
    reading(Buffer.from([...start, ...tail]))
    const head = RequestHead.read(Buffer.from([...start, ...tail]), 3_000, 16_384)
    if (start.length > 4) assert.is(head.protocol, 'tls')
  })
  fc.assert(property, { seed: chosenSeed, numRuns: chosenRuns(2_000) })
})

test('the text of a hello has its name and its protocols, whatever their bytes are', () => {
  const names = fc.constantFrom(undefined, 'a.example', 'localhost', 'x_y.example.org')
  const property = fc.property(names, fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { maxLength: 9 }), (name, protocols) => {
    const texts = protocols.map((bytes) => Buffer.from(bytes).toString('latin1'))
    const text = helloText(helloWith(name, texts))
    assert.equal(helloIn(text), helloWith(name, texts))
    assert.match(text, /^[\x20-\x7e]+$/)
  })
  fc.assert(property, { seed: chosenSeed, numRuns: chosenRuns(200) })
})

test('a malformed text of a hello is none', () => {
  for (const text of ['', 'a', 'a.example', ' 6832', 'a.example 683', 'a.example 68,', 'a.example x', `a ${'68'.repeat(256)}`, 'a 68\n'])
    assert.is(helloIn(text), undefined, JSON.stringify(text))
  assert.is(helloIn(`a.example ${'6832,'.repeat(9_999)}6832`), undefined)
  assert.is(helloIn('10.0.0.1 6832')?.serverName, undefined)
})

test('a head over TLS has its hello, an address, and nothing that a request has', () => {
  const bytes = hello({ serverName: 'a.example', protocols: ['h2'], identities: [TICKET] })
  const head = RequestHead.read(bytes, bytes.length, 16_384)
  head.remoteAddress = '192.0.2.1'
  assert.equal([head.outcome, head.protocol, head.ambiguous, head.byteLength], ['complete', 'tls', false, 0])
  assert.equal(head.hello, { ...NOTHING, serverName: 'a.example', protocols: ['h2'], ticketNames: [NAME] })
  const { method, target, path, paths, query, host, remoteAddress } = head
  assert.equal([method, target, path, paths, query, host], new Array(6).fill(undefined))
  assert.equal([head.header('host'), head.cookie('a'), head.queryParameter('sid')], [undefined, undefined, undefined])
  assert.is(remoteAddress, '192.0.2.1')
  bytes.fill(0)
  assert.is(head.keep().hello?.serverName, 'a.example')
})

test('a hello that does not end within the bound of heads is for the worker', () => {
  const bytes = hello({ extensions: [extension(21, Buffer.alloc(600))] })
  const head = RequestHead.read(bytes, bytes.length, 512)
  assert.equal([head.outcome, head.protocol, head.hello], ['not-http', 'tls', undefined])
  assert.is(RequestHead.read(bytes, 511, 512).outcome, 'incomplete')
  assert.is(RequestHead.read(bytes, bytes.length, bytes.length).outcome, 'complete')
})

test.run()
