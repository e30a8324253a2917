// Checks the requests of the control socket before an operation runs.

import type { IncomingMessage } from 'node:http'
import * as v from 'valibot'
import type { LogQuery, OperationBodies, OperationName } from './control-protocol.ts'

/** A request that is not valid. It is answered with this status and has no effect. */
export class RequestFault extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const MAX_BODY_BYTES = 4_096
const MAX_WORKERS = 100_000
const MAX_LINES = 1_000

const pool = v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(63)))
const slot = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_WORKERS))
const count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_WORKERS))
const change = v.pipe(v.number(), v.integer(), v.minValue(-MAX_WORKERS), v.maxValue(MAX_WORKERS))

const bodies: { [Name in OperationName]: v.GenericSchema<OperationBodies[Name]> } = {
  reload: v.strictObject({ pool }),
  rollback: v.strictObject({}),
  scale: v.union([v.strictObject({ pool, to: count }), v.strictObject({ pool, by: change })]),
  drain: v.strictObject({ pool, slot, proxy: v.optional(v.boolean()) }),
  restart: v.strictObject({ pool, slot, proxy: v.optional(v.boolean()) }),
  upgrade: v.strictObject({}),
  stop: v.strictObject({ now: v.optional(v.boolean()) }),
}

export function isOperation(name: string): name is OperationName {
  return Object.hasOwn(bodies, name)
}

/** Throws a RequestFault. */
export async function readOperation<Name extends OperationName>(name: Name, request: IncomingMessage): Promise<OperationBodies[Name]> {
  const { success, output } = v.safeParse(bodies[name], await readJson(request))
  if (!success) throw new RequestFault(400, `the body is not valid for '${name}'`)
  return output as OperationBodies[Name]
}

/** Reads `?lines=50&follow=true&pool=web&slot=0`. Throws a RequestFault. */
export function readLogQuery(search: URLSearchParams): LogQuery {
  const lines = integerOf(search.get('lines') ?? '50', 'lines')
  const slot = search.get('slot')
  return {
    lines: Math.min(lines, MAX_LINES),
    follow: search.get('follow') === 'true',
    mark: search.get('mark') === 'true',
    pool: search.get('pool') ?? undefined,
    slot: slot === null ? undefined : integerOf(slot, 'slot'),
  }
}

export function integerOf(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new RequestFault(400, `${name}: expected an integer of 0 or more`)
  return Number(text)
}

/** Reads a body of at most 4 KiB; an empty one is {}. Throws a RequestFault. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  return parseBody(await readBody(request, MAX_BODY_BYTES))
}

export function parseBody(body: string): unknown {
  if (body === '') return {}
  try {
    return JSON.parse(body)
  } catch {
    throw new RequestFault(400, 'the body is not JSON')
  }
}

/** The body as text. Throws a RequestFault if it has more than `maxBytes`. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  // The request must not be destroyed on an early return: it still gets an answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBytes) throw new RequestFault(413, `the body has more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
