// The load generators: wrk where it is installed, and autocannon, which always is. Both give one outcome.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { startChild } from './children.ts'
import type { Scenario } from './scenarios.ts'

export interface LoadOutcome {
  /** Requests that were answered. */
  readonly requests: number
  readonly seconds: number
  /** Latency at the 99th percentile. */
  readonly p99Ms: number
  /** Faults, with how often each occurred; empty when all is well. */
  readonly faults: Readonly<Record<string, number>>
}

export interface Load {
  readonly name: string
  /** `undefined`: it is not installed. */
  version(): string | undefined
  /** Can it send what the scenario needs? */
  can(scenario: Scenario): boolean
  /** `url`: with the path, when the scenario has only one. */
  run(url: string, scenario: Scenario, seconds: number): Promise<LoadOutcome>
  /**
   * One kept-alive connection for each cookie: visitor n, counted from 1, asks `path/n` with its own cookie, one request after the other.
   * The field `Visitor` of an answer names its visitor.
   */
  visit(url: string, path: string, cookies: readonly string[], seconds: number): Promise<LoadOutcome>
}

const GRACE_MS = 15_000

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

const wrk: Load = {
  name: 'wrk',
  version: () => /^wrk (?:debian\/)?([\w.]+)/.exec(spawnSync('wrk', ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1],
  can: () => true,
  run(url, { connections, reconnect, groups, order, bodyBytes, patienceSeconds = 5 }, seconds) {
    const asks = order !== 'any' || bodyBytes > 0 || groups.flat().length > 1
    const script = fromHere(asks ? 'wrk-paths.lua' : 'wrk-report.lua')
    // wrk takes whole seconds only; a shorter time ends by SIGINT, after which it reports as always.
    const flags = [`-t${groups.length}`, `-c${connections}`, `-d${Math.ceil(seconds)}s`, '--timeout', `${patienceSeconds}s`, '-s', script]
    const more = asks ? ['--', order, `${bodyBytes}`, ...groups.map((paths) => paths.join())] : []
    return outcomeOf('wrk', [...flags, ...(reconnect ? ['-H', 'Connection: close'] : []), url, ...more], seconds, 'SIGINT')
  },
  visit(url, path, cookies, seconds) {
    // One thread: each thread has its own connections and script.
    const flags = ['-t1', `-c${cookies.length}`, `-d${Math.ceil(seconds)}s`, '--timeout', '5s', '-s', fromHere('wrk-visitors.lua')]
    return outcomeOf('wrk', [...flags, url, '--', path, ...cookies], seconds, 'SIGINT')
  },
}

const autocannon: Load = {
  name: 'autocannon',
  version: () => JSON.parse(readFileSync(createRequire(import.meta.url).resolve('autocannon/package.json'), 'utf8')).version,
  // autocannon pipelines, but writes each request by itself.
  can: ({ order, bodyBytes }) => order !== 'together' && bodyBytes === 0,
  run(url, { connections, reconnect, groups }, seconds) {
    const args = [url, `${connections}`, `${seconds}`, reconnect ? 'reconnect' : 'keep', ...groups.map((paths) => paths.join())]
    return outcomeOf(process.execPath, [fromHere('autocannon-load.js'), ...args], seconds)
  },
  visit(url, path, cookies, seconds) {
    return outcomeOf(process.execPath, [fromHere('autocannon-visitors.js'), url, `${seconds}`, path, ...cookies], seconds)
  },
}

/** In order of preference. */
export const loads: readonly Load[] = [wrk, autocannon]

/** Runs to the end and reads the report; `endSignal` is sent after `seconds` when they are not whole. */
async function outcomeOf(command: string, args: readonly string[], seconds: number, endSignal?: NodeJS.Signals): Promise<LoadOutcome> {
  const child = startChild(command, args)
  const end =
    endSignal === undefined || Number.isInteger(seconds) ? undefined : setTimeout(() => child.process.kill(endSignal), seconds * 1000)
  const bound = setTimeout(() => child.process.kill('SIGKILL'), seconds * 1000 + GRACE_MS)
  await child.ended
  clearTimeout(end)
  clearTimeout(bound)
  const report = /^report: (.*)$/m.exec(child.output())?.[1]
  if (report === undefined) throw new Error(`the load gave no report:\n${child.output()}`)
  const { faults, ...seen } = JSON.parse(report) as LoadOutcome
  return { ...seen, faults: Object.fromEntries(Object.entries(faults).filter(([, count]) => count > 0)) }
}
