// Random HTTP/1 connections, valid but unusual: pipelined, chunked, cut at random places, half-closed, upgraded or aborted.

import fc from 'fast-check'
import { type Answer, RawClient, type Target } from './raw-client.ts'

interface RandomRequest {
  readonly method: string
  readonly path: string
  readonly style: string
  readonly body:
    | { readonly kind: 'none' }
    | { readonly kind: 'length' | 'chunked'; readonly sizes: readonly number[]; readonly trailer: boolean }
  /** Written with extra spaces. */
  readonly odd: boolean
  readonly padding: number
  /** Sent only after the answers to the requests before it. */
  readonly waits: boolean
  /** Where its bytes are cut, as fractions of the length. */
  readonly cuts: readonly number[]
}

export interface RandomConnection {
  readonly requests: readonly RandomRequest[]
  readonly end: 'close' | 'half-close' | 'upgrade' | 'abort'
}

const paths = ['/light/a', '/heavy/b', '/heavy/c', '/session/d?session=1', '/session/e?session=2', '/session/f?session=3']
const body = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: 'none' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('length' as const, 'chunked' as const),
      sizes: fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 90_000 })), { minLength: 1, maxLength: 3 }),
      trailer: fc.boolean(),
    }),
  },
)
const request: fc.Arbitrary<RandomRequest> = fc.record({
  method: fc.constantFrom('GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS'),
  path: fc.constantFrom(...paths),
  style: fc.constantFrom('plain', 'plain', 'empty', 'chunked', 'big', 'slow', 'early'),
  body,
  odd: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
  padding: fc.integer({ min: 0, max: 300 }),
  waits: fc.integer({ min: 0, max: 2 }).map((number) => number > 0),
  cuts: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 3 }) },
  ),
})

export const randomConnection: fc.Arbitrary<RandomConnection> = fc.record({
  requests: fc.array(request, { minLength: 1, maxLength: 8 }),
  end: fc.constantFrom('close', 'close', 'close', 'half-close', 'upgrade', 'abort'),
})

/** Plays the connection against a server. Resolves with every answer as text, or with the error. */
export async function playConnection(target: Target, { requests, end }: RandomConnection): Promise<string[]> {
  const client = new RawClient(target)
  const answers: string[] = []
  const pending: string[] = []
  const readAnswers = async (): Promise<void> => {
    for (let method = pending.shift(); method !== undefined; method = pending.shift())
      answers.push(describe(await client.answer(15_000, method)))
  }
  try {
    for (const [index, one] of requests.entries()) {
      const isLast = index === requests.length - 1
      if (one.waits || (isLast && end === 'upgrade')) await readAnswers()
      const bytes = isLast && end === 'upgrade' ? upgradeBytes(one) : requestBytes(one, isLast && end === 'close')
      for (const piece of pieces(bytes, one.cuts)) {
        client.write(piece)
        await new Promise((resolve) => setImmediate(resolve))
      }
      pending.push(one.method)
      if (isLast && end === 'abort') return ['aborted']
    }
    if (end === 'half-close') {
      // Node aborts pending requests when the client half-closes, so the test would race without the answers.
      await readAnswers()
      client.socket.end()
    }
    if (end === 'upgrade') {
      answers.push(describe(await client.answer(15_000)), (await client.bytes(68)).toString())
    } else {
      await readAnswers()
    }
    if (end !== 'upgrade') await client.over(15_000)
    if (client.unread > 0) answers.push(`${client.unread} bytes more`)
  } catch (error) {
    answers.push((error as Error).message)
  } finally {
    client.destroy()
  }
  return answers
}

function requestBytes({ method, path, style: wanted, body: sent, odd, padding }: RandomRequest, closes: boolean): Buffer {
  // A server that answers early and closes resets the connection of a client that still sends; the unread answer is lost. That race is Node's
  // own.
  const style = closes && wanted === 'early' ? 'plain' : wanted
  const space = odd ? '  ' : ' '
  const lines = [
    `${method} ${path}${path.includes('?') ? '&' : '?'}style=${style} HTTP/1.1`,
    `Host:${space}test`,
    `x-Padding:${space}${'p'.repeat(padding)}`,
    'X-Twice: 1',
    'x-twice: 2',
  ]
  if (closes) lines.push('Connection: close')
  if (sent.kind === 'none') return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
  const parts = sent.sizes.map((size) => Buffer.alloc(size, `${size};`))
  if (sent.kind === 'length') {
    lines.push(`Content-Length: ${parts.reduce((sum, part) => sum + part.length, 0)}`)
    return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), ...parts])
  }
  lines.push('Transfer-Encoding: chunked', ...(sent.trailer ? ['Trailer: X-End'] : []))
  const chunks = parts.flatMap((part) => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')])
  const last = sent.trailer ? '0\r\nX-End: yes\r\n\r\n' : '0\r\n\r\n'
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), ...chunks, Buffer.from(last)])
}

function upgradeBytes({ path, odd, padding }: RandomRequest): Buffer {
  const head = `GET ${path} HTTP/1.1\r\nHost:${odd ? '  ' : ' '}test\r\nConnection: Upgrade\r\nUpgrade: mirror\r\nX-Length: ${padding}\r\n\r\n`
  return Buffer.from(`${head}${'u'.repeat(padding)}`)
}

function* pieces(bytes: Buffer, cuts: readonly number[]): Generator<Buffer> {
  let from = 0
  for (const cut of cuts.map((share) => Math.floor(share * bytes.length)).sort((one, other) => one - other)) {
    if (cut <= from) continue
    yield bytes.subarray(from, cut)
    from = cut
  }
  yield bytes.subarray(from)
}

/** The answer without its date. Fields are sorted by name, since their order may differ. */
function describe({ status, headers, body: content }: Answer): string {
  const fields = [...headers].filter(([name]) => name !== 'date').sort(([one], [other]) => (one < other ? -1 : 1))
  return `${status} ${JSON.stringify(fields)} ${content.length > 600 ? `${content.subarray(0, 600)}… ${content.length}` : content}`
}
