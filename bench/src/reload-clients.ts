// Clients that keep asking whatever becomes of a request, and count faults by their kind.

import { Agent, request as openRequest } from 'node:http'

/** The result of a load. */
export interface Counted {
  /** Requests that were answered correctly. */
  answered: number
  /** All other requests, by kind of fault. */
  readonly failed: Record<string, number>
}

const BODY = 'Hello world\n'
const POST_BYTES = 1_000
const REQUEST_MS = 5_000
/** A pause after a failure, as a client would make: an unreachable server is not asked a thousand times a second. */
const PAUSE_MS = 10

/** Sends GET and POST in turn over kept-alive connections, or over a new one for each request, until `isOver`. */
export async function askOn(port: number, kind: 'kept' | 'new', clients: number, isOver: () => boolean): Promise<Counted> {
  const counted: Counted = { answered: 0, failed: {} }
  const client = async (): Promise<void> => {
    const agent = kind === 'kept' ? new Agent({ keepAlive: true, maxSockets: 1 }) : false
    for (let number = 0; !isOver(); number++) {
      const fault = await ask(port, agent, number % 3 === 0)
      if (fault === undefined) counted.answered++
      else {
        counted.failed[fault] = (counted.failed[fault] ?? 0) + 1
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      }
    }
    if (agent !== false) agent.destroy()
  }
  await Promise.all(Array.from({ length: clients }, client))
  return counted
}

/** Resolves with the fault, if there was one. */
function ask(port: number, agent: Agent | false, posts: boolean): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, agent, timeout: REQUEST_MS, method: posts ? 'POST' : 'GET' }
    const request = openRequest(options, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
      })
      response.once('error', () => resolve('cut short'))
      response.once('end', () => {
        const { statusCode } = response
        resolve(statusCode !== 200 ? `status ${statusCode}` : text === BODY ? undefined : 'wrong answer')
      })
    })
    request.once('timeout', () => request.destroy(Object.assign(new Error(), { code: 'timed out' })))
    request.once('error', ({ code, message }: NodeJS.ErrnoException) => resolve(code ?? message))
    request.end(posts ? 'x'.repeat(POST_BYTES) : undefined)
  })
}
