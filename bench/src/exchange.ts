// One request and its answer, as the connections of an open loop send it.

import { type Agent, request as openRequest } from 'node:http'

/** A request of a connection has ended. `fault`: not with the answer that it should have. */
export type Done = (fault: string | undefined) => void

/** The connections that a trace is sent on. */
export interface Connections {
  /** How many requests had to wait for a connection so far. */
  readonly waited: number
  /** Prepares what can be prepared, with requests for `path`. */
  open(path: string): Promise<void>
  /** Sends on connection `index`, or on the nearest one that is free. */
  ask(index: number, path: string, done: Done): void
  close(): void
}

const REQUEST_MS = 30_000

/**
 * Sends one request. `agent` false: on a connection of its own, which the server closes. `end` is called once; `reused`: the connection
 * existed already.
 */
export function exchange(
  port: number,
  path: string,
  agent: Agent | false,
  end: (fault: string | undefined, reused: boolean) => void,
): void {
  let over = false
  const endOnce = (fault: string | undefined): void => {
    if (over) return
    over = true
    end(fault, request.reusedSocket)
  }
  const request = openRequest({ host: '127.0.0.1', port, path, agent, timeout: REQUEST_MS }, (response) => {
    response.resume()
    response.once('end', () => endOnce(response.statusCode === 200 ? undefined : `answers of ${response.statusCode}`))
    response.once('error', () => endOnce('answers cut short'))
  })
  request.once('timeout', () => request.destroy(new Error('timeout')))
  request.once('error', ({ message }) => endOnce(message === 'timeout' ? 'timeouts' : 'socket errors'))
  request.end()
}
