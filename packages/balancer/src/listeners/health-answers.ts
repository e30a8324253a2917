// Answers health checks on the listeners of the app, under the path that the config names. The body says only whether the balancer is ready: the reasons
// are on the admin page.

import type { RequestHead } from '@switchyard/routing'

export interface HealthAnswersOptions {
  /** undefined: no path is answered. */
  readonly path: () => string | undefined
  /** Are connections accepted, and has every pool that listens a ready worker? */
  readonly isReady: () => boolean
}

const READY = answersOf('200 OK', 'ok\n')
const NOT_READY = answersOf('503 Service Unavailable', 'not ready\n')

export class HealthAnswers {
  private readonly options: HealthAnswersOptions

  constructor(options: HealthAnswersOptions) {
    this.options = options
  }

  /** The whole response; undefined: the request is none of a health check. */
  answer(head: RequestHead): Buffer | undefined {
    const path = this.options.path()
    if (path === undefined || head.path !== path) return undefined
    const { method } = head
    if (method !== 'GET' && method !== 'HEAD') return undefined
    return (this.options.isReady() ? READY : NOT_READY)[method]
  }
}

function answersOf(status: string, body: string): Readonly<Record<'GET' | 'HEAD', Buffer>> {
  const head = `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n`
  return { GET: Buffer.from(head + body, 'latin1'), HEAD: Buffer.from(head, 'latin1') }
}
