// Answers are read the same in whatever pieces they come, and none is accepted that Node's own client refuses or reads in another way.

import { request as httpRequest } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { assert, suite } from '../../../../../test/suite.ts'
import { chosenSeed, seededRandom } from '../../../../../test/support/random.ts'
import type { AnswerHead } from '../../../src/upstream/connection/answer-fields.ts'
import { AnswerReader } from '../../../src/upstream/connection/answer-reader.ts'

const test = suite('answers of upstream servers')

interface Read {
  /** `end`: over when the server has ended the connection. */
  readonly outcome: 'over' | 'end' | 'faulty' | 'cut'
  readonly interims: readonly number[]
  readonly head: AnswerHead | undefined
  readonly body: string
  readonly trailers: readonly string[]
  readonly keepsAlive: boolean
}

function read(pieces: readonly string[], isHead = false): Read {
  const reader = new AnswerReader()
  const interims: number[] = []
  let head: AnswerHead | undefined
  let body = ''
  reader.begin(
    {
      onInformation: ({ status }) => void interims.push(status),
      onHead: (found) => {
        head = found
      },
      onBody: (part) => {
        body += part.toString('latin1')
      },
    },
    isHead,
  )
  for (const piece of pieces) reader.read(Buffer.from(piece, 'latin1'))
  const isOver = reader.isOver
  const outcome = reader.isFaulty ? 'faulty' : isOver ? 'over' : reader.end() ? 'end' : 'cut'
  return { outcome, interims, head, body, trailers: reader.trailers, keepsAlive: reader.keepsAlive }
}

const OK = 'HTTP/1.1 200 OK\r\n'
const LENGTH = `${OK}Content-Length: 5\r\n\r\nhello`
const CHUNKS = `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n`
const INTERIM = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'

/** Each with its outcome, body, and whether the connection may be kept. */
const whole: readonly (readonly [text: string, outcome: Read['outcome'], body: string, keepsAlive: boolean])[] = [
  [LENGTH, 'over', 'hello', true],
  [CHUNKS, 'over', 'hello world', true],
  [`${INTERIM}${INTERIM}${LENGTH}`, 'over', 'hello', true],
  [`${OK}\r\nhello`, 'end', 'hello', false],
  [`${OK}Content-Length: 0\r\n\r\n`, 'over', '', true],
  ['HTTP/1.1 204 No Content\r\n\r\n', 'over', '', true],
  ['HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', 'over', '', true],
  ['HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx', 'over', 'x', true],
  ['HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx', 'over', 'x', false],
  ['HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx', 'over', 'x', true],
  [`${OK}Connection: X-A, Close\r\nContent-Length: 1\r\n\r\nx`, 'over', 'x', false],
  [`${LENGTH}HTTP/1.1 200 OK\r\n`, 'over', 'hello', false],
  [`${CHUNKS}x`, 'over', 'hello world', false],
  [`${OK}X-A: \t a b \t\r\nX-Latin: caf\xe9\r\nContent-Length: 0\r\n\r\n`, 'over', '', true],
]

test('whole answers, in one piece, in two at every byte, and byte by byte', () => {
  for (const [text, outcome, body, keepsAlive] of whole) {
    const one = read([text])
    assert.equal([one.outcome, one.body, one.keepsAlive], [outcome, body, keepsAlive], text)
    for (let at = 1; at < text.length; at++) assert.equal(read([text.slice(0, at), text.slice(at)]), one, `${text} cut at ${at}`)
    assert.equal(read([...text]), one, `${text} byte by byte`)
  }
  assert.equal(read([CHUNKS]).trailers, ['X-T', '1', 'X-U', '2'])
  assert.equal(read([`${INTERIM}${LENGTH}`]).interims, [103])
  assert.equal(read([LENGTH.replace('hello', '')], true).outcome, 'over')
})

test('an answer that is cut at any byte is not over', () => {
  for (const text of [LENGTH, CHUNKS]) for (let at = 0; at < text.length; at++) assert.is(read([text.slice(0, at)]).outcome, 'cut', `${at}`)
})

test('fields of the connection are removed, and what they name', () => {
  const { head } = read([`${OK}X-A: 1\r\nConnection: x-a\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nX-B: 2\r\nContent-Length: 0\r\n\r\n`])
  assert.equal([head?.fields, head?.keepAlive], [['X-B', '2', 'Content-Length', '0'], 'timeout=5'])
})

const faulty: readonly string[] = [
  'HTTP/2.0 200 OK\r\n\r\n',
  'HTTP/1.2 200 OK\r\n\r\n',
  'HTTP/1.1 20 OK\r\n\r\n',
  'HTTP/1.1 2000 OK\r\n\r\n',
  'HTTP/1.1 099 OK\r\n\r\n',
  'HTTP/1.1  200 OK\r\n\r\n',
  '\r\nHTTP/1.1 200 OK\r\n\r\n',
  'http/1.1 200 OK\r\n\r\n',
  'hello\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n',
  ...[
    'Content-Length: 5\r\nContent-Length: 5',
    'Content-Length: 5\r\nContent-Length: 6',
    'Content-Length: 5, 5',
    'Content-Length: +5',
    'Content-Length: 0x5',
    'Content-Length: ',
    'Content-Length: 5 5',
    'Content-Length: 5\t',
    'Content-Length: 9007199254740992',
    'Content-Length: 5\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunked\r\nContent-Length: 5',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding: gzip',
    'Transfer-Encoding: xchunked',
    'X-A: 1\r\n folded: 2',
    'X-A : 1',
    ': 1',
    'X A: 1',
    'X-A',
    'X-A: 1\nX-B: 2',
    'X-A: 1\rX-B: 2',
    'X-A: 1\0',
    'X-A: 1\x7f',
  ].map((fields) => `${OK}${fields}\r\n\r\n`),
  ...[
    'x\r\n',
    '\r\n',
    '-5\r\nhello\r\n',
    '0x5\r\nhello\r\n',
    '5 \r\nhello\r\n',
    '5\nhello\r\n',
    '5\r\nhelloo\r\n',
    '5\r\nhello\n0\r\n\r\n',
    'fffffffffffffffff\r\n',
    '20000000000001\r\n',
    `5;${'a'.repeat(5000)}`,
    '0\r\nX T: 1\r\n\r\n',
    '0\r\nX-T\r\n\r\n',
    '0\r\nContent-Length: 5\r\n\r\n',
    '0\r\nX-T: 1\n\r\n',
    `0\r\nX-T: ${'a'.repeat(70_000)}`,
  ].map((chunks) => `${OK}Transfer-Encoding: chunked\r\n\r\n${chunks}`),
  `${OK}X-A: ${'a'.repeat(70_000)}`,
]

test('what is no answer, or could be framed in two ways, is refused', () => {
  for (const text of faulty) {
    assert.is(read([text]).outcome, 'faulty', text.slice(0, 100))
    if (text.length < 1000) assert.is(read([...text]).outcome, 'faulty', `${text} byte by byte`)
  }
})

/** What Node's client makes of an answer, in the form of `Read`. undefined: it is refused. */
function byNode(text: string): Promise<{ status: number; fields: readonly string[]; body: string } | undefined> {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read() {},
      write(_chunk, _encoding, done) {
        done()
      },
    })
    const request = httpRequest({ createConnection: () => socket as unknown as Socket, maxHeaderSize: 64 * 1024 })
    request.on('error', () => resolve(undefined))
    request.on('upgrade', () => resolve(undefined))
    request.on('response', (response) => {
      let body = ''
      response.setEncoding('latin1').on('data', (part: string) => {
        body += part
      })
      response.on('error', () => resolve(undefined))
      response.on('close', () =>
        resolve(response.complete ? { status: response.statusCode ?? 0, fields: response.rawHeaders, body } : undefined),
      )
    })
    request.on('close', () => setImmediate(() => resolve(undefined)))
    request.end()
    setImmediate(() => {
      socket.push(Buffer.from(text, 'latin1'))
      setImmediate(() => socket.push(null))
    })
  })
}

/** Node reads a body that RFC 9112 §6.3 says is not there. */
const hasNoBody = (status: number | undefined): boolean => status === 204 || status === 304

/** The answer without bytes behind it. They end the connection, here and in Node. */
function upToEnd(text: string): string {
  let length = text.length
  while (read([text.slice(0, length - 1)]).outcome === 'over') length--
  return text.slice(0, length)
}

test('of answers with random changes, none is read in another way than by Node', async () => {
  const random = seededRandom(chosenSeed)
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T
  const texts = [...whole.map(([text]) => text), ...faulty.filter(({ length }) => length < 1000)]
  const pieces = [
    '\r',
    '\n',
    '\r\n',
    ' ',
    '\t',
    '\0',
    ':',
    ';',
    ',',
    '0',
    '5',
    'a',
    'chunked',
    'close',
    '\x7f',
    '\x80',
    'Content-Length: 3\r\n',
  ]
  let accepted = 0
  for (let count = 0; count < 1500; count++) {
    const text = pick(texts)
    const at = Math.floor(random() * text.length)
    const changed = `${text.slice(0, at)}${random() < 0.7 ? pick(pieces) : ''}${text.slice(at + Math.floor(random() * 3))}`
    const ours = read([changed])
    if ((ours.outcome !== 'over' && ours.outcome !== 'end') || hasNoBody(ours.head?.status)) continue
    const node = await byNode(ours.outcome === 'over' ? upToEnd(changed) : changed)
    const shown = JSON.stringify(changed)
    assert.ok(node !== undefined, `Node refuses ${shown}`)
    assert.equal([ours.head?.status, ours.body], [node.status, node.body], shown)
    const isKept = (name: string): boolean => (ours.head?.fields ?? []).includes(name)
    assert.equal(
      ours.head?.fields,
      node.fields.filter((_, index) => isKept(node.fields[index & ~1] as string)),
      shown,
    )
    accepted++
  }
  assert.ok(accepted > 100, `${accepted} were accepted`)
})

test.run()
