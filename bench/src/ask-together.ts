// Several requests in one write, which no client of Node does: pipelined requests must be answered in order.

import { connect } from 'node:net'

export interface Answer {
  readonly status: number
  readonly body: string
  /** Process id of the worker that answered. */
  readonly worker: string | undefined
  /** The pool that it names. */
  readonly pool: string | undefined
}

/** Resolves with the answers in the order of `paths`. Expects answers with a content-length. */
export function askTogether(port: number, paths: readonly string[], bodyBytes: number, timeoutMs: number): Promise<readonly Answer[]> {
  return new Promise((resolve, reject) => {
    const answers: Answer[] = []
    let unread = ''
    const socket = connect(port, '127.0.0.1')
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`${answers.length} of ${paths.length} answers within ${timeoutMs} ms`)))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error(`the connection was closed after ${answers.length} of ${paths.length} answers`)))
    socket.setEncoding('latin1').on('data', (text: string) => {
      unread += text
      for (let found = firstOf(unread); found !== undefined; found = firstOf(unread)) {
        answers.push(found.answer)
        unread = unread.slice(found.length)
      }
      if (answers.length < paths.length) return
      resolve(answers)
      socket.destroy()
    })
    socket.write(paths.map((path) => requestText(path, bodyBytes)).join(''))
  })
}

function requestText(path: string, bodyBytes: number): string {
  if (bodyBytes === 0) return `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`
  return `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${bodyBytes}\r\n\r\n${'x'.repeat(bodyBytes)}`
}

function firstOf(text: string): { readonly answer: Answer; readonly length: number } | undefined {
  const bodyAt = text.indexOf('\r\n\r\n') + 4
  if (bodyAt < 4) return undefined
  const head = text.slice(0, bodyAt)
  const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)\r$`, 'im').exec(head)?.[1]
  const length = bodyAt + Number(field('content-length'))
  if (text.length < length) return undefined
  const answer = { status: Number(head.split(' ')[1]), body: text.slice(bodyAt, length), worker: field('worker'), pool: field('pool') }
  return { answer, length }
}
