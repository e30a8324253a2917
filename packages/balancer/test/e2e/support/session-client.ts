// A client of the apps that keep a count in each session. It has one kept connection, so it talks to one worker, and sends the cookie of any
// session.

import { Agent, type IncomingMessage, request as openRequest } from 'node:http'
import { patience } from '../../../../../test/support/patience.ts'

/** The answer of the apps. */
export interface SessionAnswer {
  readonly pid: number
  readonly count?: number
  /** Does the session exist after the request? */
  readonly isKept?: boolean
  readonly fault?: string
}

/** An answer whose head has arrived. */
export interface BegunAnswer {
  /** The cookie that it sets, as the client sends it back. */
  readonly cookie: string | undefined
  /** Rejects unless the status is 200. */
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
          const answer = readAnswer(response, path)
          // The caller may await it later.
          answer.catch(() => {})
          resolve({ cookie: given?.split(';')[0], answer })
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
    const { cookie, answer } = await this.begin('/new')
    await answer
    if (cookie === undefined) throw new Error('a new session has no cookie')
    return cookie
  }

  close(): void {
    this.agent.destroy()
  }
}

async function readAnswer(response: IncomingMessage, path: string): Promise<SessionAnswer> {
  let text = ''
  for await (const part of response.setEncoding('utf8')) text += part
  if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode} ${text}`)
  const answer = JSON.parse(text) as SessionAnswer
  if (answer.fault !== undefined) throw new Error(`${path}: ${answer.fault}`)
  return answer
}
