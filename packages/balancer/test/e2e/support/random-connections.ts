// Connections as no client would make them, but any client may: the answers of the balanced app must be those of the bare app, in the same order.

import fc from 'fast-check'
import { type Answer, RawClient, type Target } from './raw-client.ts'

interface RandomRequest {
  readonly method: string
  readonly path: string
  readonly style: string
  readonly body:
    | { readonly kind: 'none' }
    | { readonly kind: 'length' | 'chunked'; readonly sizes: readonly number[]; readonly trailer: boolean }
  /** Written in a form that differs from what most clients write. */
  readonly odd: boolean
  readonly padding: number
  /** Waits for the answers that are owed before it is sent. */
  readonly waits: boolean
  /** Where it is cut, as shares of its bytes. */
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

/** Any connection. */
export const randomConnection: fc.Arbitrary<RandomConnection> = fc.record({
  requests: fc.array(request, { minLength: 1, maxLength: 8 }),
  end: fc.constantFrom('close', 'close', 'close', 'half-close', 'upgrade', 'abort'),
})

/** Holds the connection with a server; every answer as text, or how far it came. */
export async function hold(target: Target, { requests, end }: RandomConnection): Promise<string[]> {
  const client = new RawClient(target)
  const heard: string[] = []
  const owed: string[] = []
  const hear = async (): Promise<void> => {
    for (let method = owed.shift(); method !== undefined; method = owed.shift()) heard.push(describe(await client.answer(15_000, method)))
  }
  try {
    for (const [index, one] of requests.entries()) {
      const isLast = index === requests.length - 1
      if (one.waits || (isLast && end === 'upgrade')) await hear()
      const bytes = isLast && end === 'upgrade' ? upgradeBytes(one) : requestBytes(one, isLast && end === 'close')
      for (const piece of pieces(bytes, one.cuts)) {
        client.write(piece)
        await new Promise((resolve) => setImmediate(resolve))
      }
      owed.push(one.method)
      if (isLast && end === 'abort') return ['aborted']
    }
    if (end === 'half-close') {
      // Before the answers are there it would be a race in Node itself, which aborts what is under way for a client that has ended.
      await hear()
      client.socket.end()
    }
    if (end === 'upgrade') {
      heard.push(describe(await client.answer(15_000)), (await client.bytes(68)).toString())
    } else {
      await hear()
    }
    if (end !== 'upgrade') await client.over(15_000)
    if (client.unread > 0) heard.push(`${client.unread} bytes more`)
  } catch (error) {
    heard.push((error as Error).message)
  } finally {
    client.destroy()
  }
  return heard
}

function requestBytes({ method, path, style: wanted, body: sent, odd, padding }: RandomRequest, closes: boolean): Buffer {
  // A server that answers early and closes resets a client that still sends, and with it what the client had not read: a race in Node itself.
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

/** The whole answer but for the moment; fields of different names may come in another order. */
function describe({ status, headers, body: content }: Answer): string {
  const fields = [...headers].filter(([name]) => name !== 'date').sort(([one], [other]) => (one < other ? -1 : 1))
  return `${status} ${JSON.stringify(fields)} ${content.length > 600 ? `${content.subarray(0, 600)}… ${content.length}` : content}`
}
