// The other end of the control socket: how a command speaks to the balancer that runs.

import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { StringDecoder } from 'node:string_decoder'
import { BalancerError, type ErrorCode, errorCodes } from '../errors.ts'
import type { ControlError, ControlStatus, LogLine, LogQuery, OperationBodies, OperationLine, OperationName } from './control-protocol.ts'

const answerTimeoutMs = 10_000
const probeTimeoutMs = 1_000
const maxLineLength = 1024 * 1024

/** Does anybody listen there? */
export function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const end = (there: boolean): void => {
      socket.destroy()
      resolve(there)
    }
    socket.setTimeout(probeTimeoutMs, () => end(false))
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}

/** One balancer. Rejections are BalancerErrors: ERR_NOT_RUNNING when nobody answers, and what the balancer itself says. */
export class ControlClient {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  async status(): Promise<ControlStatus> {
    const answer = await this.#ask('GET', '/status')
    let text = ''
    for await (const line of linesOf(answer, this.path)) text += line
    return JSON.parse(text) as ControlStatus
  }

  /** The lines of its answer as they come; the last is its result or error. */
  async *runOperation<Name extends OperationName>(name: Name, body: OperationBodies[Name]): AsyncGenerator<OperationLine> {
    const answer = await this.#ask('POST', `/${name}`, JSON.stringify(body))
    for await (const line of linesOf(answer, this.path)) yield JSON.parse(line) as OperationLine
  }

  /** Ends when the balancer ends, or when there is no more to tell. */
  async *logs({ lines, follow, pool, slot }: LogQuery): AsyncGenerator<LogLine> {
    const search = new URLSearchParams({
      lines: String(lines),
      ...(follow && { follow: 'true' }),
      ...(pool !== undefined && { pool }),
      ...(slot !== undefined && { slot: String(slot) }),
    })
    const answer = await this.#ask('GET', `/logs?${search}`)
    try {
      for await (const line of linesOf(answer, this.path)) yield JSON.parse(line) as LogLine
    } finally {
      answer.destroy()
    }
  }

  async #ask(method: string, path: string, body?: string): Promise<IncomingMessage> {
    const answer = await this.#send(method, path, body)
    if (answer.statusCode === 200) return answer
    let text = ''
    for await (const line of linesOf(answer, this.path)) text += line
    throw refused(text, answer.statusCode)
  }

  #send(method: string, path: string, body: string | undefined): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers = {
        Connection: 'close',
        ...(body !== undefined && { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }),
      }
      const asked = request({ socketPath: this.path, host: 'control', method, path, headers, agent: false })
      asked.setTimeout(answerTimeoutMs, () => asked.destroy(new Error(`there was no answer within ${answerTimeoutMs / 1000} s`)))
      asked.once('response', (answer) => {
        asked.setTimeout(0)
        resolve(answer)
      })
      asked.on('error', (error) => reject(unreachable(this.path, error)))
      asked.end(body)
    })
  }
}

async function* linesOf(answer: IncomingMessage, path: string): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      const lines = (rest + decoder.write(chunk)).split('\n')
      rest = lines.pop() as string
      if (rest.length > maxLineLength) throw new Error('the answer has a line without end')
      yield* lines
    }
  } catch (cause) {
    throw new BalancerError('ERR_NOT_RUNNING', `The balancer on ${path} went away before it had answered: ${messageOf(cause)}`, {
      source: 'system',
      cause,
    })
  }
  if (rest !== '') yield rest
}

function unreachable(path: string, cause: Error): BalancerError {
  const { code } = cause as NodeJS.ErrnoException
  if (code === 'EACCES' || code === 'EPERM')
    return new BalancerError('ERR_CONTROL', `The control socket ${path} is another user's: run the command as that user`, {
      source: 'system',
      cause,
    })
  const why = code === 'ENOENT' || code === 'ECONNREFUSED' ? '' : `: ${cause.message}`
  return new BalancerError('ERR_NOT_RUNNING', `No balancer answers on the control socket ${path}${why}`, {
    source: 'system',
    retryable: true,
    cause,
  })
}

/** What the balancer understood nothing of: it may be of another version. */
function refused(text: string, status: number | undefined): BalancerError {
  let said = `status ${status}`
  try {
    said = (JSON.parse(text) as { error: ControlError }).error.message
  } catch {
    // It is not even one of ours.
  }
  return new BalancerError('ERR_CONTROL', `The balancer refused the request: ${said}`, { source: 'system' })
}

/** An error that the balancer told, as one of this process. */
export function errorOf({ code, message, source = 'system', retryable = false }: ControlError): Error {
  if (code !== undefined && Object.hasOwn(errorCodes, code)) return new BalancerError(code as ErrorCode, message, { source, retryable })
  const error = new Error(message)
  // Where it arose is in the other process.
  error.stack = message
  return error
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
