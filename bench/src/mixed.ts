// npm run bench -- --mixed: how long light requests take beside some that block their worker, on the same kept-alive connections. The same
// traces for all.

import type { Questions } from './answers.ts'
import { mixedContenders } from './contenders.ts'
import { ableOf } from './installed.ts'
import type { Latencies } from './open-loop.ts'
import { formatMs } from './report.ts'
import { sendTrace } from './trace-turn.ts'
import { inTurn } from './turn.ts'

/** Heavy requests of four clients, each asking every 250 ms: at 50 ms they fill 0.8 of one worker. */
const load = { connections: 64, lightPerSecond: 1_000, heavyPerSecond: 16, lightPath: '/web', heavyPath: '/heavy' }
const questions: Questions = { groups: [[load.lightPath, load.heavyPath]], order: 'any', bodyBytes: 0 }

export interface MixedOptions {
  /** Traces, one for each seed. */
  readonly seeds: readonly number[]
  readonly seconds: number
  readonly warmUpSeconds: number
  /** How late the generator may be, at the 99th percentile. */
  readonly lateMs: number
}

export interface MixedSample {
  readonly contender: string
  readonly seed: number
  readonly light: Latencies
  readonly heavy: Latencies
  readonly lateP99Ms: number
}

/** Sends every trace to every contender. Rejects when a single request is not answered correctly. */
export async function measureMixed(
  { seeds, seconds, warmUpSeconds, lateMs }: MixedOptions,
  progress: (line: string) => void,
): Promise<readonly MixedSample[]> {
  const contenders = ableOf(mixedContenders, progress)
  const samples: MixedSample[] = []
  const { connections, lightPath, heavyPath, lightPerSecond } = load
  for (const [index, seed] of seeds.entries()) {
    for (const contender of inTurn(contenders, index + 1)) {
      const streams = [
        { name: 'light', path: lightPath, perSecond: lightPerSecond },
        { name: 'heavy', path: heavyPath, perSecond: contender.withoutHeavy === true ? 0 : load.heavyPerSecond },
      ]
      const task = { seed, seconds: warmUpSeconds + seconds, warmUpSeconds, connections, streams, reconnect: false, openPath: lightPath }
      const report = await sendTrace({ contender, questions, late: { p99Ms: lateMs } }, task, progress)
      const [light, heavy] = [report.streams.light as Latencies, report.streams.heavy as Latencies]
      samples.push({ contender: contender.name, seed, light, heavy, lateP99Ms: report.lateP99Ms })
      const count = `${samples.length}/${seeds.length * contenders.length}`
      progress(`${count}  seed ${seed}  ${contender.name}  light ${latenciesText(light)}, heavy ${latenciesText(heavy)}`)
    }
  }
  return samples
}

/** The load of all contenders, in words. */
export function mixedLoad(): string {
  const { lightPerSecond, heavyPerSecond, connections } = load
  return `${lightPerSecond} light and ${heavyPerSecond} heavy requests a second on the same ${connections} kept-alive connections`
}

function latenciesText({ count, p50Ms, p99Ms }: Latencies): string {
  return count === 0 ? 'none' : `p50 ${formatMs(p50Ms)} p99 ${formatMs(p99Ms)} ms of ${count}`
}
