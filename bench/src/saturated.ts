// npm run bench -- --saturated: there is always more work than two workers can do. How many requests a second are answered, beside workers
// that take their connections from the kernel by themselves?

import { fileURLToPath } from 'node:url'
import { startChild } from './children.ts'
import { type CostOptions, measureCosts } from './costs.ts'
import type { Sample } from './entrant.ts'
import { cpuShare, perSecond } from './saturated-report.ts'
import { CLIENTS, type SaturatedCell, scenariosOf } from './saturated-scenarios.ts'

const CALIBRATE = fileURLToPath(new URL('../apps/calibrate.js', import.meta.url))
const CALIBRATE_MS = 60_000

export interface SaturatedOptions extends Omit<CostOptions, 'scenarios'> {
  readonly cells: readonly SaturatedCell[]
}

export interface Saturated {
  readonly samples: readonly Sample[]
  /** How many turns of the loop burn a millisecond. */
  readonly loopsPerMs: number
}

/** Every contender in every cell. Rejects when a single request is not answered correctly. */
export async function measureSaturated({ cells, ...options }: SaturatedOptions, progress: (line: string) => void): Promise<Saturated> {
  const loopsPerMs = await calibrate()
  progress(`${loopsPerMs} turns of the loop burn a millisecond`)
  const scenarios = scenariosOf(cells, loopsPerMs)
  const textOf = (sample: Sample): string => `${Math.round(perSecond(sample))} requests/s at ${Math.round(cpuShare(sample) * 100)} % CPU`
  const { samples } = await measureCosts({ ...options, scenarios }, progress, textOf)
  return { samples, loopsPerMs }
}

/** Runs once, in a process of its own: all contenders get the same count of turns. */
async function calibrate(): Promise<number> {
  const child = startChild(process.execPath, [CALIBRATE])
  const bound = setTimeout(() => child.process.kill('SIGKILL'), CALIBRATE_MS)
  await child.ended
  clearTimeout(bound)
  const loops = Number(/^loops per ms: (\d+)$/m.exec(child.output())?.[1])
  if (!(loops > 0)) throw new Error(`the loop could not be calibrated:\n${child.output()}`)
  return loops
}

/** The load of all contenders, in words. */
export function saturatedLoad(loopsPerMs: number): string {
  return `${CLIENTS} clients of two workers; a handler burns CPU for the time in the name of its scenario, ${loopsPerMs.toLocaleString('en')} turns of a loop for a millisecond`
}
