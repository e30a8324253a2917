// A client of the apps that keep a count for each visitor: one kept connection, so one worker, and the sessions of whoever it is told to speak for.

import { Agent, type IncomingMessage, request as openRequest } from 'node:http'
import { patience } from '../../../../../test/support/patience.ts'

/** What the apps answer. */
export interface Said {
  readonly pid: number
  readonly count?: number
  /** Is there a session after what was done? */
  readonly isKept?: boolean
  readonly fault?: string
}

/** An answer of which the head has come. */
export interface Begun {
  /** The cookie that it gives, as it is to be sent back. */
  readonly cookie: string | undefined
  /** Rejects when it is not a good one. */
  readonly said: Promise<Said>
}

const ANSWER_MS = patience(15_000)

export class SessionClient {
  private readonly port: number
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor(port: number) {
    this.port = port
  }

  /** Rejects when there is no answer in time. */
  begin(path: string, cookie?: string): Promise<Begun> {
    return new Promise((resolve, reject) => {
      const headers = cookie === undefined ? {} : { cookie }
      const request = openRequest(
        { host: '127.0.0.1', port: this.port, path, headers, agent: this.agent, timeout: ANSWER_MS },
        (response) => {
          const [given] = response.headers['set-cookie'] ?? []
          const said = readSaid(response, path)
          // It may be awaited later.
          said.catch(() => {})
          resolve({ cookie: given?.split(';')[0], said })
        },
      )
      request.once('timeout', () => request.destroy(new Error(`${path}: no answer within ${ANSWER_MS} ms`)))
      request.once('error', reject)
      request.end()
    })
  }

  async ask(path: string, cookie?: string): Promise<Said> {
    return (await this.begin(path, cookie)).said
  }

  /** The cookie of a new session. */
  async arrive(): Promise<string> {
    const { cookie, said } = await this.begin('/new')
    await said
    if (cookie === undefined) throw new Error('a new session has no cookie')
    return cookie
  }

  close(): void {
    this.agent.destroy()
  }
}

async function readSaid(response: IncomingMessage, path: string): Promise<Said> {
  let text = ''
  for await (const part of response.setEncoding('utf8')) text += part
  if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode} ${text}`)
  const said = JSON.parse(text) as Said
  if (said.fault !== undefined) throw new Error(`${path}: ${said.fault}`)
  return said
}
