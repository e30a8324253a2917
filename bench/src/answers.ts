// Does a contender answer what it should, on new connections and on kept ones, and do all of its workers? Asked before anything is timed.

import { Agent, get } from 'node:http'
import { cpuTimes } from './cpu.ts'
import type { RunningServer } from './server.ts'

const BODY = 'Hello world\n'
const AT_ONCE = 32
const REQUEST_MS = 5_000
const ALL_WORKERS_MS = 5_000

interface Answer {
  readonly status: number
  readonly body: string
  readonly worker: string | undefined
  readonly onKeptConnection: boolean
}

/** Rejects with the first thing that is wrong. */
export async function checkAnswers(name: string, server: RunningServer, workers: number): Promise<void> {
  const kept = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    for (const isLater of [false, true]) {
      const answer = await ask(server.port, kept)
      judge(name, answer)
      if (answer.onKeptConnection !== isLater) throw new Error(`${name} does not keep connections`)
    }
  } finally {
    kept.destroy()
  }

  const seen = new Set<string>()
  const deadline = performance.now() + ALL_WORKERS_MS
  // The kernel shares a listening socket as it likes: a few at once bring every worker in.
  while (seen.size < workers) {
    if (performance.now() > deadline) throw new Error(`${name} has ${workers} workers, and ${seen.size} answered`)
    for (const answer of await Promise.all(Array.from({ length: AT_ONCE }, () => ask(server.port, false)))) {
      judge(name, answer)
      seen.add(answer.worker ?? '')
    }
  }
  const below = new Set([...cpuTimes(server.pid).keys()].map(String))
  for (const worker of seen) if (!below.has(worker)) throw new Error(`${name} was answered by '${worker}', which is none of its processes`)
}

function judge(name: string, { status, body }: Answer): void {
  if (status !== 200) throw new Error(`${name} answers ${status}`)
  if (body !== BODY) throw new Error(`${name} answers ${JSON.stringify(body)} where ${JSON.stringify(BODY)} is right`)
}

function ask(port: number, agent: Agent | false): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, agent, timeout: REQUEST_MS }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.once('error', reject)
      response.once('end', () => {
        const { statusCode = 0, headers } = response
        resolve({ status: statusCode, body, worker: headers.worker?.toString(), onKeptConnection: request.reusedSocket })
      })
    })
    request.once('timeout', () => request.destroy(new Error(`no answer within ${REQUEST_MS} ms`)))
    request.once('error', reject)
  })
}
