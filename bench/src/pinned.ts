// npm run bench -- --pinned: one worker of two is blocked, and the other is idle. How long does the slowest light request take?

import { get, type IncomingMessage } from 'node:http'
import { isInstalled } from '../../scripts/system.mjs'
import { runAb } from './ab.ts'
import { checkAnswers, type Questions } from './answers.ts'
import { type Contender, pinnedContenders } from './contenders.ts'
import { exchange } from './exchange.ts'
import { formatMs } from './report.ts'
import { type RunningServer, startServer } from './server.ts'
import { sendTrace } from './trace-turn.ts'
import { inTurn } from './turn.ts'

const AB = { requests: 80, atOnce: 4 }
const AFTER_IO = { heavyMs: 300, lightPerSecond: 100 }
const LIGHT_PATH = '/'
const questions: Questions = { groups: [[LIGHT_PATH, '/work?ms=0', '/work?ms=0&after=io']], order: 'any', bodyBytes: 0 }

export const pinnedParts = ['pinned', 'after-io'] as const

export interface PinnedOptions {
  /** A round for each; in `after-io` the seed of its trace. */
  readonly seeds: readonly number[]
  /** Length of a trace of `after-io`. */
  readonly seconds: number
  /** Before it. */
  readonly warmUpSeconds: number
  /** How late the generator may be with any of its requests: a single late one would be the slowest. */
  readonly lateMs: number
  /** How long a worker is blocked in `pinned`. */
  readonly pinMs: number
}

export interface PinnedSample {
  readonly part: (typeof pinnedParts)[number]
  readonly contender: string
  readonly seed: number
  /** Of the light requests. */
  readonly p50Ms: number
  readonly slowestMs: number
}

/** Each contender in both parts, once for each seed. Rejects when a single request is not answered correctly. */
export async function measurePinned(options: PinnedOptions, progress: (line: string) => void): Promise<readonly PinnedSample[]> {
  const parts = pinnedParts.filter((part) => part !== 'pinned' || isInstalled('ab'))
  if (parts.length < pinnedParts.length) progress("ab is not installed: 'pinned' is left out")
  const turns = parts.flatMap((part) =>
    options.seeds.flatMap((seed, index) => inTurn(pinnedContenders, index + 1).map((contender) => ({ part, seed, contender }))),
  )
  const samples: PinnedSample[] = []
  for (const { part, seed, contender } of turns) {
    const figures =
      part === 'pinned' ? await besidePinned(contender, options.pinMs) : await besideAfterIo(contender, seed, options, progress)
    samples.push({ part, contender: contender.name, seed, ...figures })
    progress(`${samples.length}/${turns.length}  ${part}  round ${seed}  ${contender.name}  slowest ${formatMs(figures.slowestMs)} ms`)
  }
  return samples
}

/** A worker is blocked in the handler of a request; meanwhile ab asks. */
async function besidePinned(contender: Contender, pinMs: number): Promise<Pick<PinnedSample, 'p50Ms' | 'slowestMs'>> {
  const server = await startServer(contender)
  try {
    await checkAnswers(contender, server, questions)
    const pin = await begun(server, `/work?ms=${pinMs}&tell`)
    const report = await runAb(`http://127.0.0.1:${server.port}${LIGHT_PATH}`, AB.requests, AB.atOnce)
    await pin.answered
    return report
  } finally {
    await server.stop()
  }
}

/** Light requests in an open loop, and beside them one heavy request after the other, whose work blocks in the callback of an I/O operation. */
async function besideAfterIo(
  contender: Contender,
  seed: number,
  { seconds, warmUpSeconds, lateMs }: PinnedOptions,
  progress: (line: string) => void,
): Promise<Pick<PinnedSample, 'p50Ms' | 'slowestMs'>> {
  const streams = [{ name: 'light', path: LIGHT_PATH, perSecond: AFTER_IO.lightPerSecond }]
  const task = { seed, seconds: warmUpSeconds + seconds, warmUpSeconds, connections: 1, reconnect: true, streams, openPath: LIGHT_PATH }
  const turn = { contender, questions, late: { maxMs: lateMs }, beside: askHeavyOnes }
  const { all } = await sendTrace(turn, task, progress)
  return { p50Ms: all.p50Ms, slowestMs: all.maxMs }
}

async function askHeavyOnes({ port }: RunningServer, over: AbortSignal): Promise<void> {
  while (!over.aborted)
    await new Promise<void>((resolve, reject) => {
      exchange(port, `/work?ms=${AFTER_IO.heavyMs}&after=io`, false, (fault) =>
        fault === undefined ? resolve() : reject(new Error(fault)),
      )
    })
}

/** Resolves when the work of a request has started; its answer is awaited apart. */
function begun({ port }: RunningServer, path: string): Promise<{ readonly answered: Promise<void> }> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent: false }, (response) => resolve({ answered: wholeOf(response) })).once('error', reject)
  })
}

function wholeOf(response: IncomingMessage): Promise<void> {
  const answered = new Promise<void>((resolve, reject) => {
    response.resume().once('end', resolve).once('error', reject)
    if (response.statusCode !== 200) reject(new Error(`the request that blocks was answered with ${response.statusCode}`))
  })
  // Awaited when ab is done; until then the rejection must not count as unhandled.
  answered.catch(() => {})
  return answered
}

/** The load of all contenders, in words. */
export const pinnedLoad = (pinMs: number): readonly string[] => [
  `pinned: one of two workers blocked for ${pinMs} ms; ab -n ${AB.requests} -c ${AB.atOnce}`,
  `after-io: one request after the other that blocks for ${AFTER_IO.heavyMs} ms in an I/O callback; beside them ${AFTER_IO.lightPerSecond} light ones a second, each on a new connection`,
]
