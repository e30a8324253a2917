// One request, and its answer as text.

import { type IncomingMessage, request as openRequest, type RequestOptions } from 'node:http'

/** A complete answer. */
export interface Told {
  readonly response: IncomingMessage
  readonly body: string
  readonly onKeptConnection: boolean
}

const REQUEST_MS = 5_000

/** Sends a request to a server of this machine. Rejects when the connection breaks, or is silent for 5 s. */
export function ask(options: RequestOptions, content?: string): Promise<Told> {
  return new Promise((resolve, reject) => {
    const request = openRequest({ host: '127.0.0.1', timeout: REQUEST_MS, ...options }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.once('error', reject)
      response.once('end', () => resolve({ response, body, onKeptConnection: request.reusedSocket }))
    })
    request.once('timeout', () => request.destroy(new Error(`no answer within ${REQUEST_MS} ms`)))
    request.once('error', reject)
    request.end(content)
  })
}
