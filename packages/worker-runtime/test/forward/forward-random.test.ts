// Random requests and answers, written in random pieces: forwarded or not, the app sees the same and the client gets the same bytes.

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import { type Pair, startPair } from '../support/forward-pair.ts'
import { LAST, masked, Wire, withoutChunks } from '../support/wire.ts'

const RUNS = Number(process.env.RUNS ?? 300)
const test = suite('forward: random', { timeoutMs: 120_000 })

interface AnswerPlan {
  readonly status: number
  readonly phrase: string
  readonly fields: readonly (readonly [string, string])[]
  readonly body: 'none' | 'once' | 'length' | 'chunks'
  readonly parts: readonly string[]
  readonly trailers: readonly [string, string][]
  readonly hints: boolean
  readonly flush: boolean
  /** Answers before the request's body has arrived. */
  readonly early: boolean
  readonly closes: boolean
}

interface RequestPlan {
  readonly method: string
  readonly fields: readonly (readonly [string, string])[]
  readonly body: 'none' | 'length' | 'chunks'
  readonly parts: readonly string[]
  readonly trailers: readonly [string, string][]
  /** Where the bytes are cut into writes. */
  readonly cuts: readonly number[]
}

const latin = (least: number, most: number) =>
  fc
    .array(
      fc.integer({ min: least, max: most }).filter((code) => code < 0x7f || code > 0x9f),
      { maxLength: 12 },
    )
    .map((codes) => String.fromCharCode(...codes))
const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]{0,18}$/)
const value = latin(0x20, 0xff).map((text) => text.trim())
const field = fc.tuple(
  fc.oneof(token, fc.constantFrom('Cookie', 'cookie', 'Accept', 'X-A', 'x-a', 'Referer', 'Content-Disposition', 'Vary')),
  value,
)
const OURS =
  /^(host|connection|keep-alive|content-length|transfer-encoding|expect|upgrade|te|trailer|date|proxy-connection|switchyard-.*)$/i
const fields = fc.array(
  field.filter(([name]) => !OURS.test(name)),
  { maxLength: 12 },
)
const part = fc.oneof(
  fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 20 }),
  fc.integer({ min: 1, max: 6_000 }).map((size) => 'x'.repeat(size)),
)
const parts = fc.array(part, { maxLength: 4 })

const requestPlan: fc.Arbitrary<RequestPlan> = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'M-SEARCH'),
  fields,
  body: fc.constantFrom('none', 'length', 'chunks'),
  parts,
  trailers: fields,
  cuts: fc.array(fc.nat({ max: 4_000 }), { maxLength: 4 }),
})

const answerPlan: fc.Arbitrary<AnswerPlan> = fc.record({
  status: fc.oneof(fc.constantFrom(200, 201, 204, 206, 302, 304, 404, 500), fc.integer({ min: 200, max: 999 })),
  phrase: latin(0x20, 0xff).map((text) => text.trim()),
  fields,
  body: fc.constantFrom('none', 'once', 'length', 'chunks'),
  parts,
  trailers: fields,
  hints: fc.boolean(),
  flush: fc.boolean(),
  early: fc.boolean(),
  closes: fc.boolean(),
})

const plans = new Map<string, AnswerPlan>()
let pair: Pair

test.before(async () => {
  pair = await startPair({
    app: (server: Pick<Server, 'on'>) => {
      server.on('request', (request: IncomingMessage, response: ServerResponse) => {
        const plan = plans.get(request.url as string)
        if (plan === undefined) return response.end('last')
        const had: Buffer[] = []
        request.on('data', (some: Buffer) => had.push(some))
        const seen = (): string =>
          JSON.stringify([request.headers, request.headersDistinct, request.rawHeaders, request.httpVersion, request.method])
        if (plan.early) void answer(request, response, plan, seen())
        else
          request.on('end', () => {
            const body = Buffer.concat(had).toString('latin1')
            void answer(request, response, plan, `${seen()}${JSON.stringify([body, request.rawTrailers, request.trailers])}`)
          })
      })
    },
  })
})

async function answer({ method }: IncomingMessage, response: ServerResponse, plan: AnswerPlan, seen: string): Promise<void> {
  const { status, phrase, body, trailers, hints, flush, closes } = plan
  const parts = [seen, ...plan.parts]
  const length = parts.reduce((sum, one) => sum + one.length, 0)
  const hasBody = method !== 'HEAD' && status !== 204 && status !== 304
  const head = plan.fields.flat()
  if (hints) response.writeProcessing()
  if (closes) head.push('Connection', 'close')
  if (body === 'length') head.push('Content-Length', `${length}`)
  if (body === 'chunks' && trailers.length > 0 && hasBody) head.push('Trailer', trailers.map(([name]) => name).join(', '))
  response.writeHead(status, phrase, head)
  if (flush && hasBody) response.write('')
  if (body === 'none') return void response.end()
  if (body === 'once') return void response.end(parts.join(''), 'latin1')
  for (const one of parts) {
    response.write(one, 'latin1')
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (body === 'chunks' && hasBody) response.addTrailers([...trailers])
  response.end()
}

function requestBytes({ method, fields, body, parts, trailers }: RequestPlan, path: string): string {
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: test', ...fields.map(([name, text]) => `${name}: ${text}`)]
  const size = parts.reduce((sum, one) => sum + one.length, 0)
  if (body === 'none') return `${lines.join('\r\n')}\r\n\r\n`
  if (body === 'length') return `${lines.join('\r\n')}\r\nContent-Length: ${size}\r\n\r\n${parts.join('')}`
  const chunks = parts.map((one) => `${one.length.toString(16)}\r\n${one}\r\n`).join('')
  const tail = trailers.map(([name, text]) => `${name}: ${text}\r\n`).join('')
  return `${lines.join('\r\n')}\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n${tail}\r\n`
}

async function converse(port: number, bytes: string, cuts: readonly number[]): Promise<string> {
  const wire = new Wire(port)
  try {
    let from = 0
    for (const cut of [...cuts].sort((a, b) => a - b)) {
      if (cut <= from || cut >= bytes.length) continue
      await new Promise<void>((resolve) => void wire.socket.write(bytes.slice(from, cut), 'latin1', () => resolve()))
      await new Promise((resolve) => setImmediate(resolve))
      from = cut
    }
    wire.write(bytes.slice(from))
    return withoutChunks(masked(await wire.untilEnd()))
  } finally {
    wire.destroy()
  }
}

let count = 0

test(`${RUNS} conversations of one to three requests`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(requestPlan, answerPlan), { minLength: 1, maxLength: 3 }), async (exchanges) => {
      const bytes = exchanges.map(([asked, answered], index) => {
        const path = `/${count++}`
        // Closing while bytes are on their way resets the connection, and how much the client has received by then is chance.
        const closes = answered.closes && index === exchanges.length - 1
        plans.set(path, { ...answered, closes, early: answered.early && !closes })
        return requestBytes(asked, path)
      })
      const cuts = exchanges.flatMap(([asked]) => asked.cuts)
      const all = bytes.join('') + (exchanges.at(-1)?.[1].closes ? '' : LAST)
      const [forwarded, bare] = await Promise.all([pair.port, pair.barePort].map((port) => converse(port, all, cuts)))
      plans.clear()
      assert.is(forwarded, bare)
    }),
    { numRuns: RUNS, endOnFailure: true, ...(process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) }) },
  )
})

test.run()
