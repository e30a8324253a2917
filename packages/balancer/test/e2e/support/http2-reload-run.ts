// Clients of HTTP/2 while one reload follows the other. A client opens a new connection when its connection ends, and repeats only streams that the server
// has called unprocessed (RFC 9113 §8.7): above the last stream of its GOAWAY, or refused.

import { constants } from 'node:http2'
import { setTimeout as pause } from 'node:timers/promises'
import { ControlClient } from '../../../src/control/control-client.ts'
import { type Http2Answer, Http2Client } from './http2-client.ts'
import type { RunningBalancer } from './running-balancer.ts'

export interface Http2ReloadOptions {
  readonly balancer: RunningBalancer
  /** Such as `http://127.0.0.1:3000`. */
  readonly url: string
  readonly clients: number
  /** Requests that each client has in flight. */
  readonly streams: number
  readonly requests: number
  /** The run ends then, with fewer requests. Default: it does not. */
  readonly maxMs?: number
  readonly path: string
  readonly progress?: ((line: string) => void) | undefined
}

export interface Http2ReloadTotals {
  readonly answered: number
  readonly reloads: number
  /** Connections that the clients opened. */
  readonly connections: number
  /** Streams that had begun and were called unprocessed. */
  readonly repeated: number
  /** Requests for which the client's own connection had ended before they were sent. */
  readonly unsent: number
  readonly faults: readonly string[]
}

const MAX_FAULTS = 20
/** The announcement of a GOAWAY excludes no stream. */
const NOTICE = 2 ** 31 - 1

export async function reloadUnderHttp2(options: Http2ReloadOptions): Promise<Http2ReloadTotals> {
  const { balancer, url, clients, streams, requests, maxMs = Number.POSITIVE_INFINITY, path, progress } = options
  const untilMs = performance.now() + maxMs
  const faults: string[] = []
  let [answered, begun, repeated, unsent, connections, reloads] = [0, 0, 0, 0, 0, 0]

  function fail(fault: string): void {
    if (faults.length < MAX_FAULTS) faults.push(fault)
  }

  function isDone(): boolean {
    return begun >= requests || performance.now() >= untilMs
  }

  async function runClient(): Promise<void> {
    while (!isDone() && faults.length < MAX_FAULTS) {
      const client = new Http2Client(url)
      connections++
      let lastStream = NOTICE
      client.session.on('goaway', (_code, last) => {
        lastStream = last
      })
      const ended = new Promise<void>((resolve) => client.session.once('close', () => resolve()))
      await Promise.all(Array.from({ length: streams }, () => sendAll(client, () => lastStream)))
      client.session.close()
      await ended
      for (const fault of client.faults) fail(`connection: ${fault}`)
    }
  }

  /** Sends one request after the other, until the connection ends. */
  async function sendAll(client: Http2Client, lastStream: () => number): Promise<void> {
    const { session } = client
    while (!isDone() && !session.closed && !session.destroyed) {
      begun++
      const stream = client.open(path, {}, true)
      const { status, rstCode } = await answerOf(stream)
      if (status === 200) {
        answered++
        if (progress !== undefined && answered % 50_000 === 0) progress(`${answered} answered, ${reloads} reloads, ${repeated} repeated`)
        continue
      }
      begun--
      // Node gives a stream its number when it sends it, and refuses it itself if the session has been told to end meanwhile.
      const isRefused = rstCode === constants.NGHTTP2_REFUSED_STREAM
      if (stream.id === undefined || (isRefused && lastStream() === NOTICE)) unsent++
      else if (isRefused || stream.id > lastStream()) repeated++
      else {
        begun++
        fail(`stream ${stream.id}: status ${status}, reset ${rstCode}, last stream ${lastStream()}`)
      }
    }
  }

  const running = Promise.all(Array.from({ length: clients }, runClient))
  let isOver = false
  void running.finally(() => {
    isOver = true
  })
  const control = String(balancer.lines.find(({ msg }) => msg.startsWith('ready:'))?.control)
  while (!isOver) {
    for await (const line of new ControlClient(control).runOperation('reload', {}))
      if ('error' in line) fail(`reload: ${line.error.message}`)
    reloads++
    await pause(50)
  }
  await running
  return { answered, reloads, connections, repeated, unsent, faults }
}

/** The status, and the code of a reset, without the body. */
function answerOf(stream: ReturnType<Http2Client['open']>): Promise<Pick<Http2Answer, 'status' | 'rstCode'>> {
  let status = 0
  let hasEnded = false
  stream.on('response', (fields) => {
    status = Number(fields[':status'])
  })
  stream.on('end', () => {
    hasEnded = true
  })
  stream.resume()
  return new Promise((resolve) =>
    stream.once('close', () => resolve({ status: hasEnded && (stream.rstCode ?? 0) === 0 ? status : 0, rstCode: stream.rstCode ?? 0 })),
  )
}
