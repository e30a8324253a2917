// What may be asked over the control socket, checked before anybody acts on it.

import type { IncomingMessage } from 'node:http'
import * as v from 'valibot'
import type { LogQuery, OperationBodies, OperationName } from './control-protocol.ts'

/** A request that is not understood: it is answered with this status, and nothing else happens. */
export class RequestFault extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const maxBodyBytes = 4_096
const maxWorkers = 100_000
const maxLines = 1_000

const pool = v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(63)))
const slot = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(maxWorkers))
const count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(maxWorkers))
const change = v.pipe(v.number(), v.integer(), v.minValue(-maxWorkers), v.maxValue(maxWorkers))

const bodies: { [Name in OperationName]: v.GenericSchema<OperationBodies[Name]> } = {
  reload: v.strictObject({ pool }),
  rollback: v.strictObject({}),
  scale: v.union([v.strictObject({ pool, to: count }), v.strictObject({ pool, by: change })]),
  drain: v.strictObject({ pool, slot }),
  restart: v.strictObject({ pool, slot }),
  upgrade: v.strictObject({}),
  stop: v.strictObject({ now: v.optional(v.boolean()) }),
}

export function isOperation(name: string): name is OperationName {
  return Object.hasOwn(bodies, name)
}

/** Reads the body of an operation. Throws a RequestFault. */
export async function readOperation<Name extends OperationName>(name: Name, request: IncomingMessage): Promise<OperationBodies[Name]> {
  const { success, output } = v.safeParse(bodies[name], parse(await readBody(request)))
  if (!success) throw new RequestFault(400, `this is not what '${name}' can be told`)
  return output as OperationBodies[Name]
}

/** Reads `?lines=50&follow=true&pool=web&slot=0`. Throws a RequestFault. */
export function readLogQuery(search: URLSearchParams): LogQuery {
  const lines = wholeOf(search.get('lines') ?? '50', 'lines')
  const named = search.get('pool') ?? undefined
  const workerSlot = search.get('slot')
  return {
    lines: Math.min(lines, maxLines),
    follow: search.get('follow') === 'true',
    pool: named,
    slot: workerSlot === null ? undefined : wholeOf(workerSlot, 'slot'),
  }
}

function wholeOf(text: string, what: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new RequestFault(400, `${what}: expected an integer from 0`)
  return Number(text)
}

function parse(body: string): unknown {
  if (body === '') return {}
  try {
    return JSON.parse(body)
  } catch {
    throw new RequestFault(400, 'the body is not JSON')
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  // Not destroyed when it is left: it is still to be answered.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBodyBytes) throw new RequestFault(413, `the body has more than ${maxBodyBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
