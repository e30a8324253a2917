// `workers` and `autoscale` of a pool: how many workers it has.

import * as v from 'valibot'
import type { AutoscaleSettings } from '../../settings.ts'
import { type Fault, type Loose, looseOf, orderFaults } from '../faults.ts'
import { countOrMax, defaultsOf, milliseconds, type Options, positive, schemasOf, shape, share, withDefaults } from '../schema.ts'

/** How the number of workers follows the load of their event loops. */
export interface AutoscaleConfig {
  /** Default 1. */
  min?: number | undefined
  /** `'max'`: one for each core that this process may use. Default `'max'`. */
  max?: number | 'max' | undefined
  /** The utilisation of the event loops to aim at, above 0, at most 1. Default 0.7. */
  target?: number | undefined
  /** Load above the target adds workers after this time. Default 5000. */
  upAfterMs?: number | undefined
  /** Load below the target removes a worker after this time. Default 60000. */
  downAfterMs?: number | undefined
}

const autoscaleOptions: Options<Omit<AutoscaleSettings, 'max'>> = {
  min: { schema: positive(), default: 1 },
  target: { schema: share, default: 0.7 },
  upAfterMs: { schema: milliseconds(1), default: 5_000 },
  downAfterMs: { schema: milliseconds(1), default: 60_000 },
}

/** Without `max`, whose default is the number of cores. */
export const defaultAutoscale = defaultsOf(autoscaleOptions)

const { min, ...others } = schemasOf(autoscaleOptions)
export const autoscaleEntries = { min, max: countOrMax, ...others }
export const autoscale = v.optional(shape(autoscaleEntries))

export function autoscaleFaults({ autoscale, workers }: Loose, at: (...keys: string[]) => string): Fault[] {
  if (typeof autoscale !== 'object' || autoscale === null) return []
  const { min = defaultAutoscale.min, max } = looseOf(autoscale)
  const [least, most] = [min, max].map((count) => (typeof count === 'number' ? count : undefined))
  const faults = orderFaults(at('autoscale', 'max'), 'min', [least, min], [most, max])
  if (faults.length > 0 || typeof workers !== 'number') return faults
  if (workers >= (least ?? 1) && workers <= (most ?? Number.POSITIVE_INFINITY)) return []
  const range = most === undefined ? `at least ${least}` : `from ${least} to ${most}`
  return [{ path: at('workers'), message: `expected ${range}, the range of autoscale, got ${workers}` }]
}

export function autoscaleSettings(config: AutoscaleConfig | undefined, cpus: () => number): AutoscaleSettings | undefined {
  if (config === undefined) return undefined
  const { max, ...rest } = config
  const settings = withDefaults(defaultAutoscale, rest)
  return { ...settings, max: typeof max === 'number' ? max : Math.max(settings.min, cpus()) }
}

/** How many workers a pool starts with. */
export function workerCount(workers: number | 'max' | undefined, autoscale: AutoscaleSettings | undefined, cpus: () => number): number {
  if (autoscale === undefined) return typeof workers === 'number' ? workers : cpus()
  return workers === 'max' ? Math.min(Math.max(cpus(), autoscale.min), autoscale.max) : (workers ?? autoscale.min)
}
