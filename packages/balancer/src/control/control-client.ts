// The client of the control socket: how a command talks to the running balancer.

import { type IncomingMessage, request } from 'node:http'
import { StringDecoder } from 'node:string_decoder'
import type { AdviceReport } from '../advice.ts'
import { BalancerError, type ErrorCode, errorCodes } from '../errors.ts'
import type { BadHeadReport } from '../insight/bad-head-report.ts'
import type { CutReport } from '../insight/cut-report.ts'
import type { LiveExplanation } from '../insight/live-explanation.ts'
import type { UserRequest } from '../insight/user-request.ts'
import { probeSocket } from '../system/probe-socket.ts'
import { messageOf } from '../thrown-error.ts'
import type { FailedExchanges } from '../upstreams/server-counts.ts'
import type {
  ControlError,
  ControlStatus,
  DashboardLink,
  DecisionQuery,
  DecisionReport,
  LogFilesReport,
  LogLine,
  LogQuery,
  OperationBodies,
  OperationLine,
  OperationName,
} from './control-protocol.ts'

const ANSWER_TIMEOUT_MS = 10_000
const PROBE_TIMEOUT_MS = 1_000
const MAX_LINE_LENGTH = 1024 * 1024

/** Resolves with whether a server listens on the path. */
export async function answers(path: string): Promise<boolean> {
  return (await probeSocket(path, PROBE_TIMEOUT_MS)) === 'connected'
}

/** Talks to one balancer. Rejections are BalancerErrors: ERR_NOT_RUNNING if no balancer answers, ERR_CONTROL if it refuses the request. */
export class ControlClient {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  async status(): Promise<ControlStatus> {
    return (await this.read('GET', '/status')) as ControlStatus
  }

  /** Yields the lines of the answer as they arrive. The last is the result or the error. */
  async *runOperation<Name extends OperationName>(name: Name, body: OperationBodies[Name]): AsyncGenerator<OperationLine> {
    const answer = await this.ask('POST', `/${name}`, JSON.stringify(body))
    for await (const line of linesOf(answer, this.path)) yield JSON.parse(line) as OperationLine
  }

  /** Ends after the requested lines, or with `follow` when the balancer exits. Rejects when the signal is aborted. */
  async *logs({ lines, follow, mark, pool, slot }: LogQuery, signal?: AbortSignal): AsyncGenerator<LogLine> {
    const search = new URLSearchParams({
      lines: String(lines),
      ...(follow && { follow: 'true' }),
      ...(mark && { mark: 'true' }),
      ...(pool !== undefined && { pool }),
      ...(slot !== undefined && { slot: String(slot) }),
    })
    const answer = await this.ask('GET', `/logs?${search}`, undefined, signal)
    try {
      for await (const line of linesOf(answer, this.path)) yield JSON.parse(line) as LogLine
    } finally {
      answer.destroy()
    }
  }

  /** Ends after the requested decisions, or with `follow` when the balancer exits. */
  async *decisions({ count, follow, route, pool, slot, proxy }: DecisionQuery): AsyncGenerator<DecisionReport> {
    const search = new URLSearchParams({
      count: String(count),
      ...(follow && { follow: 'true' }),
      ...(route !== undefined && { route }),
      ...(pool !== undefined && { pool }),
      ...(slot !== undefined && { slot: String(slot) }),
      ...(proxy && { proxy: 'true' }),
    })
    const answer = await this.ask('GET', `/decisions?${search}`)
    try {
      for await (const line of linesOf(answer, this.path)) yield JSON.parse(line) as DecisionReport
    } finally {
      answer.destroy()
    }
  }

  /** The last heads that were refused or could not be read, oldest first. */
  async badHeads(): Promise<BadHeadReport[]> {
    return (await this.read('GET', '/errors')) as BadHeadReport[]
  }

  /** Exchanges with upstream servers that failed, by server and reason. undefined: the balancer is of a version that does not say. */
  async failedExchanges(): Promise<FailedExchanges[] | undefined> {
    return (await this.readIfKnown('GET', '/upstream-errors')) as FailedExchanges[] | undefined
  }

  /** The clients whose connections of HTTP/2 were cut last, oldest first. undefined: the balancer is of a version that does not say. */
  async cutConnections(): Promise<CutReport[] | undefined> {
    return (await this.readIfKnown('GET', '/cuts')) as CutReport[] | undefined
  }

  /** What the balancer advises at this moment. */
  async advice(): Promise<AdviceReport> {
    return (await this.read('GET', '/advice')) as AdviceReport
  }

  /** Where a request would go at this moment. */
  async explain(request: UserRequest): Promise<LiveExplanation> {
    return (await this.read('POST', '/explain', JSON.stringify(request))) as LiveExplanation
  }

  /** Where older lines are. undefined: the balancer is of a version that does not say. */
  async logFiles(): Promise<LogFilesReport | undefined> {
    return (await this.readIfKnown('GET', '/log-files')) as LogFilesReport | undefined
  }

  /** A link that opens the dashboard with the right to act, once. undefined: the balancer is of a version without a dashboard. */
  async dashboardLink(): Promise<DashboardLink | undefined> {
    return (await this.readIfKnown('POST', '/dashboard-link', '')) as DashboardLink | undefined
  }

  /** An answer of one JSON value. */
  private async read(method: string, path: string, body?: string): Promise<unknown> {
    return JSON.parse(await this.textOf(await this.ask(method, path, body)))
  }

  /** As `read`; undefined: the balancer does not answer that, because it is of another version. */
  private async readIfKnown(method: string, path: string, body?: string): Promise<unknown> {
    const answer = await this.send(method, path, body)
    const text = await this.textOf(answer)
    return answer.statusCode === 200 ? JSON.parse(text) : undefined
  }

  private async ask(method: string, path: string, body?: string, signal?: AbortSignal): Promise<IncomingMessage> {
    const answer = await this.send(method, path, body, signal)
    if (answer.statusCode === 200) return answer
    throw refused(await this.textOf(answer), answer.statusCode)
  }

  private async textOf(answer: IncomingMessage): Promise<string> {
    let text = ''
    for await (const line of linesOf(answer, this.path)) text += line
    return text
  }

  private send(method: string, path: string, body?: string, signal?: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers = {
        Connection: 'close',
        ...(body !== undefined && { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }),
      }
      const sent = request({ socketPath: this.path, host: 'control', method, path, headers, agent: false, ...(signal && { signal }) })
      sent.setTimeout(ANSWER_TIMEOUT_MS, () => sent.destroy(new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1000} s`)))
      sent.once('response', (answer) => {
        sent.setTimeout(0)
        resolve(answer)
      })
      sent.on('error', (error) => reject(unreachable(this.path, error)))
      sent.end(body)
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
      if (rest.length > MAX_LINE_LENGTH) throw new Error('a line of the answer is too long')
      yield* lines
    }
  } catch (cause) {
    throw new BalancerError(
      'ERR_NOT_RUNNING',
      `The balancer on ${path} closed the connection before it had answered: ${messageOf(cause)}`,
      {
        source: 'system',
        cause,
      },
    )
  }
  if (rest !== '') yield rest
}

function unreachable(path: string, cause: Error): BalancerError {
  const { code } = cause as NodeJS.ErrnoException
  if (code === 'EACCES' || code === 'EPERM')
    return new BalancerError('ERR_CONTROL', `The control socket ${path} belongs to another user: run the command as that user`, {
      source: 'system',
      cause,
    })
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return new BalancerError(
      'ERR_NOT_RUNNING',
      `The balancer on ${path} closed the connection without an answer. If it still runs, it has no descriptor left: try again, or raise its limit (ulimit -n)`,
      { source: 'system', retryable: true, cause },
    )
  const why = code === 'ENOENT' || code === 'ECONNREFUSED' ? '' : `: ${cause.message}`
  return new BalancerError('ERR_NOT_RUNNING', `No balancer answers on the control socket ${path}${why}`, {
    source: 'system',
    retryable: true,
    cause,
  })
}

/** The balancer did not accept the request; it may have another version. */
function refused(text: string, status: number | undefined): Error {
  let reason = `status ${status}`
  try {
    const { error } = JSON.parse(text) as { error: ControlError }
    if (error.code !== undefined) return errorOf(error)
    reason = error.message
  } catch {
    // The answer is not from a balancer.
  }
  return new BalancerError('ERR_CONTROL', `The balancer refused the request: ${reason}`, { source: 'system' })
}

/** Makes an error of this process from one that the balancer sent. */
export function errorOf({ code, message, source = 'system', retryable = false }: ControlError): Error {
  if (code !== undefined && Object.hasOwn(errorCodes, code)) return new BalancerError(code as ErrorCode, message, { source, retryable })
  const error = new Error(message)
  // The stack of this process says nothing about it.
  error.stack = message
  return error
}
