// What observes a running balancer while it is measured. Observers run outside of its processes, so their own work does not count.

import { request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { startChild } from './children.ts'
import type { RunningServer } from './server.ts'

export const HEALTH_PATH = '/healthz'
const EVERY_MS = 1_000
const ANSWER_MS = 5_000
const balancer = fileURLToPath(new URL('../../packages/balancer/bin/balancer.js', import.meta.url))

/** A running observer. */
export interface Observation {
  /** Rejects if it did not observe all the time. */
  stop(): Promise<void>
}

export interface Observed extends Pick<RunningServer, 'port' | 'adminUrl'> {
  readonly control: string
}

/** Each resolves when it has observed once. */
export const observers = {
  /** A Prometheus that scrapes every second. */
  metrics: ({ adminUrl }: Observed) => againAndAgain(() => ask(`${adminUrl}/metrics`)),
  /** An orchestrator that asks every second. */
  health: ({ port }: Observed) => againAndAgain(() => ask(`http://127.0.0.1:${port}${HEALTH_PATH}`)),
  /** A browser that shows the dashboard. */
  dashboard: ({ adminUrl }: Observed) => readStream(`${adminUrl}/dashboard/live`),
  /** The last decisions are read every second, so they are recorded. */
  decisions: ({ control }: Observed) => againAndAgain(() => askControl(control, '/decisions?count=20')),
  /** `balancer decisions -f`. */
  followedDecisions: ({ control }: Observed) => followDecisions(control),
} as const

export type ObserverName = keyof typeof observers

async function ask(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) })
  await response.text()
  if (response.status !== 200) throw new Error(`${url} was answered with ${response.status}`)
}

function askControl(socketPath: string, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, host: 'control', path, agent: false, timeout: ANSWER_MS }, (response) => {
      const fault = response.statusCode === 200 ? undefined : new Error(`${path} was answered with ${response.statusCode}`)
      response.resume().once('end', () => (fault === undefined ? resolve() : reject(fault)))
    })
    asked.once('timeout', () => asked.destroy(new Error(`${path} was not answered`)))
    asked.once('error', reject).end()
  })
}

async function againAndAgain(once: () => Promise<void>): Promise<Observation> {
  let fault: Error | undefined
  await once()
  const timer = setInterval(() => {
    once().catch((error: Error) => {
      fault ??= error
    })
  }, EVERY_MS)
  return {
    async stop() {
      clearInterval(timer)
      if (fault !== undefined) throw fault
    },
  }
}

async function readStream(url: string): Promise<Observation> {
  const end = new AbortController()
  const response = await fetch(url, { signal: end.signal })
  const reader = response.body?.getReader()
  if (response.status !== 200 || reader === undefined) throw new Error(`${url} was answered with ${response.status}`)
  await reader.read()
  let hasEnded = false
  const reading = (async () => {
    while (!(await reader.read()).done);
    hasEnded = true
  })().catch(() => {})
  return {
    async stop() {
      const isEarly = hasEnded
      end.abort()
      await reading
      if (isEarly) throw new Error(`${url} has ended`)
    },
  }
}

async function followDecisions(control: string): Promise<Observation> {
  const child = startChild(process.execPath, [balancer, 'decisions', '-f', '--json', '--control', control])
  let code: number | null | undefined
  void child.ended.then((ended) => {
    code = ended
  })
  return {
    async stop() {
      const isEarly = code !== undefined
      await child.stop()
      if (isEarly) throw new Error(`balancer decisions has ended with ${code}:\n${child.output()}`)
    },
  }
}
