// A client of the apps that keep a count for each visitor: one kept connection, so one worker, and the sessions of whoever it is told to speak for.

import { Agent, type IncomingMessage, request as openRequest } from 'node:http'
import { patience } from '../../../../../test/support/patience.ts'

/** What the apps answer. */
export interface SessionAnswer {
  readonly pid: number
  readonly count?: number
  /** Is there a session after what was done? */
  readonly isKept?: boolean
  readonly fault?: string
}

/** An answer of which the head has come. */
export interface BegunAnswer {
  /** The cookie that it gives, as it is to be sent back. */
  readonly cookie: string | undefined
  /** Rejects when it is not a good one. */
  readonly answer: Promise<SessionAnswer>
}

const ANSWER_MS = patience(15_000)

export class SessionClient {
  private readonly port: number
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor(port: number) {
    this.port = port
  }

  /** Rejects when there is no answer in time. */
  begin(path: string, cookie?: string): Promise<BegunAnswer> {
    return new Promise((resolve, reject) => {
      const headers = cookie === undefined ? {} : { cookie }
      const request = openRequest(
        { host: '127.0.0.1', port: this.port, path, headers, agent: this.agent, timeout: ANSWER_MS },
        (response) => {
          const [given] = response.headers['set-cookie'] ?? []
          const said = readSaid(response, path)
          // It may be awaited later.
          said.catch(() => {})
          resolve({ cookie: given?.split(';')[0], answer: said })
        },
      )
      request.once('timeout', () => request.destroy(new Error(`${path}: no answer within ${ANSWER_MS} ms`)))
      request.once('error', reject)
      request.end()
    })
  }

  async ask(path: string, cookie?: string): Promise<SessionAnswer> {
    return (await this.begin(path, cookie)).answer
  }

  /** The cookie of a new session. */
  async newSession(): Promise<string> {
    const { cookie, answer: said } = await this.begin('/new')
    await said
    if (cookie === undefined) throw new Error('a new session has no cookie')
    return cookie
  }

  close(): void {
    this.agent.destroy()
  }
}

async function readSaid(response: IncomingMessage, path: string): Promise<SessionAnswer> {
  let text = ''
  for await (const part of response.setEncoding('utf8')) text += part
  if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode} ${text}`)
  const said = JSON.parse(text) as SessionAnswer
  if (said.fault !== undefined) throw new Error(`${path}: ${said.fault}`)
  return said
}
