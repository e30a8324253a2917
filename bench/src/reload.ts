// npm run bench -- --reload: clients of several kinds ask all the time, and one reload follows the other. How many requests fail?

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkAnswers, type Questions } from './answers.ts'
import { startChild } from './children.ts'
import type { ReloadContender } from './contenders.ts'
import { fetchCommand } from './fetched.ts'
import type { Load } from './loads.ts'
import { askOn, type Counted } from './reload-clients.ts'
import { scenarios } from './scenarios.ts'
import { startServer } from './server.ts'
import { inTurn } from './turn.ts'

const questions: Questions = { groups: [['/']], order: 'any', bodyBytes: 0 }
const RELOAD_MS = 120_000
/** Connections of the load generator in each of two scenarios, and of our own clients in each of two kinds. */
export const CONNECTIONS = { 'kept-alive': 16, 'new-connections': 8 } as const
export const CLIENTS = 4

export interface ReloadOptions {
  readonly contenders: readonly ReloadContender[]
  readonly seconds: number
  readonly rounds: number
  /** Undefined: only our own clients ask. */
  readonly load: Load | undefined
}

/** The measurements of one turn. */
export interface ReloadSample extends Counted {
  readonly contender: string
  readonly round: number
  /** Duration of each reload that succeeded. */
  readonly reloadsMs: readonly number[]
  /** Output of each that failed. */
  readonly failedReloads: readonly string[]
}

/** Each contender in turn, once a round. A package that cannot be fetched is left out, and a line says so. */
export async function measureReload(options: ReloadOptions, progress: (line: string) => void): Promise<readonly ReloadSample[]> {
  const commands = new Map<ReloadContender, string>()
  for (const contender of options.contenders) {
    try {
      commands.set(contender, contender.fetched === undefined ? '' : await fetchCommand(contender.fetched))
    } catch (error) {
      progress(`${(error as Error).message.trim()}: '${contender.name}' is left out`)
    }
  }
  const taking = [...commands.keys()]
  const turns = Array.from({ length: options.rounds }, (_, index) =>
    inTurn(taking, index + 1).map((contender) => ({ contender, round: index + 1 })),
  ).flat()
  const samples: ReloadSample[] = []
  for (const { contender, round } of turns) {
    const sample = await measureTurn(contender, commands.get(contender) as string, round, options)
    samples.push(sample)
    const failed = Object.values(sample.failed).reduce((sum, count) => sum + count, 0)
    progress(
      `${samples.length}/${turns.length}  ${contender.name}  ${sample.answered} answered, ${failed} failed, ${sample.reloadsMs.length} reloads`,
    )
  }
  return samples
}

/** Starts a contender afresh, checks its answers, and reloads it under load for the time of the options. */
async function measureTurn(
  contender: ReloadContender,
  command: string,
  round: number,
  { seconds, load }: ReloadOptions,
): Promise<ReloadSample> {
  const place = { folder: mkdtempSync(join(tmpdir(), 'bench-reload-')), command }
  const env = contender.env?.(place) ?? {}
  const { name, workers } = contender
  const server = await startServer({ name, args: contender.start(place), env }).catch((error) => {
    rmSync(place.folder, { recursive: true, force: true })
    throw error
  })
  try {
    await checkAnswers({ name, workers }, server, questions)
    let over = false
    const loads = Promise.all([
      ...(['kept', 'new'] as const).map((kind) => askOn(server.port, kind, CLIENTS, () => over)),
      ...(load === undefined ? [] : scenarios.filter(isAsked).map((scenario) => loadWith(load, server.port, scenario, seconds))),
    ])
    const { reloadsMs, failedReloads } = await reloadFor(seconds, contender.reload(place), env)
    over = true
    const counted = sumOf(await loads)
    return { contender: name, round, reloadsMs, failedReloads, ...counted }
  } finally {
    await server.stop()
    rmSync(place.folder, { recursive: true, force: true })
  }
}

/** One reload after the other; the one under way when time is up is awaited. */
async function reloadFor(
  seconds: number,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ reloadsMs: number[]; failedReloads: string[] }> {
  const reloadsMs: number[] = []
  const failedReloads: string[] = []
  const until = performance.now() + seconds * 1000
  while (performance.now() < until) {
    const begun = performance.now()
    const child = startChild(process.execPath, args, env)
    const bound = setTimeout(() => child.process.kill('SIGKILL'), RELOAD_MS)
    const code = await child.ended
    clearTimeout(bound)
    if (code === 0) reloadsMs.push(performance.now() - begun)
    else failedReloads.push(child.output())
    // A pause: a reload that fails at once is not repeated at once.
    if (code !== 0) await new Promise((resolve) => setTimeout(resolve, 1000))
  }
  return { reloadsMs, failedReloads }
}

type Asked = keyof typeof CONNECTIONS

function isAsked(scenario: (typeof scenarios)[number]): boolean {
  return scenario.name in CONNECTIONS
}

async function loadWith(load: Load, port: number, scenario: (typeof scenarios)[number], seconds: number): Promise<Counted> {
  const connections = CONNECTIONS[scenario.name as Asked]
  const { requests, faults } = await load.run(`http://127.0.0.1:${port}/`, { ...scenario, connections }, seconds)
  return { answered: requests, failed: faults }
}

function sumOf(all: readonly Counted[]): Counted {
  const sum: Counted = { answered: 0, failed: {} }
  for (const { answered, failed } of all) {
    sum.answered += answered
    for (const [kind, count] of Object.entries(failed)) sum.failed[kind] = (sum.failed[kind] ?? 0) + count
  }
  return sum
}
