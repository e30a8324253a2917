// `outliers` of a pool: when a worker that does worse than the others gets no requests for a while.

import * as v from 'valibot'
import type { OutlierSettings } from '../../settings.ts'
import { type Fault, type Loose, orderFaults } from '../faults.ts'
import { defaultsOf, expected, milliseconds, type Options, positive, schemasOf, shape, share, withDefaults } from '../schema.ts'

/** When a worker that does worse than the others gets no requests for a while. docs/configuration.md has each default. */
export type OutlierConfig = { [Name in keyof OutlierSettings]?: OutlierSettings[Name] | undefined }

const outlierOptions: Options<OutlierSettings> = {
  intervalMs: { schema: milliseconds(1), default: 10_000 },
  minRequests: { schema: positive(), default: 50 },
  errorShare: { schema: share, default: 0.2 },
  latencyFactor: { schema: v.optional(expected(v.pipe(v.number(), v.gtValue(1)), 'a number above 1')), default: 5 },
  latencyFloorMs: { schema: milliseconds(0), default: 100 },
  baseEjectionMs: { schema: milliseconds(1), default: 30_000 },
  maxEjectionMs: { schema: milliseconds(1), default: 300_000 },
  maxEjectedShare: { schema: share, default: 0.3 },
  panicThreshold: {
    schema: v.optional(expected(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 'a share from 0 to 1')),
    default: 0.5,
  },
}

export const outlierEntries = schemasOf(outlierOptions)
export const defaultOutliers = defaultsOf(outlierOptions)

const options = shape(outlierEntries, 'true, false or an object')
export const outliers = v.optional(v.lazy((input) => (typeof input === 'boolean' ? v.boolean() : options)))

export function outlierFaults(outliers: Loose, at: (...keys: string[]) => string): Fault[] {
  const { baseEjectionMs: least = defaultOutliers.baseEjectionMs, maxEjectionMs: most = defaultOutliers.maxEjectionMs } = outliers
  return orderFaults(at('outliers', 'maxEjectionMs'), 'baseEjectionMs', [least, least], [most, most])
}

export function outlierSettings(config: boolean | OutlierConfig | undefined): OutlierSettings | undefined {
  return config ? withDefaults(defaultOutliers, config === true ? {} : config) : undefined
}
