// One sentence that says whether all is well, and what is not, the worst first. Pure.

import type { BalancerStatus, PoolStatus, WorkerStatus } from '../status.ts'

/** `down`: requests fail. `failing`: a worker is missing or stuck. `watch`: worth a look, or intended. */
export type Severity = 'good' | 'watch' | 'failing' | 'down'

export interface Trouble {
  readonly severity: Exclude<Severity, 'good'>
  readonly text: string
}

export interface Health {
  readonly severity: Severity
  readonly sentence: string
  /** What else there is to say, the worst first. */
  readonly others: readonly string[]
}

/** What no single status tells. */
export interface Signs {
  /** Workers whose process does not run. */
  readonly silent: readonly { readonly name: string; readonly ms: number }[]
  /** Connections that were answered with 503 a short while ago, and requests that failed, among all of that time. */
  readonly refused: number
  readonly failed: number
  readonly requests: number
}

const NO_SIGNS: Signs = { silent: [], refused: 0, failed: 0, requests: 0 }
const NOTABLE_BUSY_MS = 1_000
/** Fewer failures say little. */
const NOTABLE_FAILURES = 5
const NOTABLE_SHARE = 0.02
const MAX_OTHERS = 20
const ORDER = ['down', 'failing', 'watch'] as const

export function healthOf(status: BalancerStatus, signs: Signs = NO_SIGNS): Health {
  const found = [...troublesOf(status), ...troublesOfSigns(signs)]
  const troubles = ORDER.flatMap((severity) => found.filter((trouble) => trouble.severity === severity))
  const [worst, ...rest] = troubles
  if (worst === undefined) return { severity: 'good', sentence: goodSentence(status), others: [] }
  return { severity: worst.severity, sentence: worst.text, others: rest.slice(0, MAX_OTHERS).map(({ text }) => text) }
}

function goodSentence({ pools }: BalancerStatus): string {
  const count = pools.reduce((sum, { ready }) => sum + ready, 0)
  return count === 1 ? 'All is well: the worker is ready.' : `All is well: all ${count} workers are ready.`
}

function troublesOf(status: BalancerStatus): Trouble[] {
  return [
    ...(status.accepting ? [] : [{ severity: 'down' as const, text: 'No connections are accepted.' }]),
    ...status.pools.flatMap(troublesOfPool),
    ...(status.log?.failure == null ? [] : [{ severity: 'failing' as const, text: `The log can't be written: ${status.log.failure}.` }]),
  ]
}

function troublesOfSigns({ silent, refused, failed, requests }: Signs): Trouble[] {
  const share = failed / Math.max(1, requests)
  return [
    ...silent.map(({ name, ms }) => ({
      severity: 'failing' as const,
      text: `${name} does not answer: its event loop has not turned for ${seconds(ms)}.`,
    })),
    ...(refused > 0 ? [{ severity: 'failing' as const, text: `${refused} connections were refused with 503 in the last 10 s.` }] : []),
    ...(failed >= NOTABLE_FAILURES && share >= NOTABLE_SHARE
      ? [{ severity: 'failing' as const, text: `${Math.round(share * 100)} % of the requests of the last 10 s failed.` }]
      : []),
  ]
}

function troublesOfPool(pool: PoolStatus): Trouble[] {
  const { name, ready, desired, held, broken, outageMs, notStarted, reloading, workers, job } = pool
  const found: Trouble[] = []
  const add = (severity: Trouble['severity'], text: string): unknown => found.push({ severity, text })
  const wanted = job === null ? desired - held.length : 0
  if (outageMs !== null) add('down', `${name} has had no worker for ${seconds(outageMs)}. The balancer keeps trying to start one.`)
  else if (wanted > 0 && ready === 0) add('down', `${name} has no ready worker: requests wait.`)
  else if (wanted > 0 && ready < wanted && !reloading) add('failing', `${name} has ${ready} of ${wanted} workers ready.`)
  for (const slot of broken) add('failing', `${name}/${slot} has failed too often and is not started again. Its log shows why.`)
  for (const { slot, message, times } of notStarted)
    add('failing', `${name}/${slot} could not be started${times > 1 ? `, ${times} times` : ''}: ${message}.`)
  for (const worker of workers)
    if (worker.state !== 'gone' && job === null) for (const trouble of troublesOfWorker(name, worker)) found.push(trouble)
  if (reloading) add('watch', `${name} is being reloaded.`)
  for (const slot of held) add('watch', `${name}/${slot} was taken out of service.`)
  return found
}

function troublesOfWorker(pool: string, { slot, state, load, ejected, retiring, sessions, drainLeftMs }: WorkerStatus): Trouble[] {
  const name = `${pool}/${slot}`
  const blocked = load.busyMs >= NOTABLE_BUSY_MS && state !== 'starting'
  return [
    ...(blocked ? [{ severity: 'failing' as const, text: `The event loop of ${name} has been blocked for ${seconds(load.busyMs)}.` }] : []),
    ...(ejected ? [{ severity: 'failing' as const, text: `${name} does worse than the others and gets no connections for a while.` }] : []),
    ...(sessions?.state === 'down' ? [{ severity: 'failing' as const, text: `${name} does not reach the session store.` }] : []),
    ...(retiring !== null && state === 'ready' ? [{ severity: 'watch' as const, text: `${name} will be replaced: ${retiring}.` }] : []),
    ...(state === 'draining'
      ? [{ severity: 'watch' as const, text: `${name} is draining, for at most ${seconds(drainLeftMs ?? 0)} more.` }]
      : []),
  ]
}

function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`
}
