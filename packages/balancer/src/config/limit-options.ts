// The limits: numbers at the top level of a config. A new one needs its type in LimitSettings (settings.ts), a line here and a row in docs/configuration.md.

import type { LimitSettings } from '../settings.ts'
import { type Fault, type Loose, orderFaults } from './faults.ts'
import { usableCpus } from './pool/cpus.ts'
import { countFromZero, defaultsOf, milliseconds, type Option, positive, schemasOf, share, whole, withDefaults } from './schema.ts'

const MIN_STARTS_AT_ONCE = 8
/** A start waits for files and for the app half of the time. */
const STARTS_PER_CORE = 4

/** The limits, flat and all optional. */
export type LimitConfig = { [Name in keyof LimitSettings]?: LimitSettings[Name] | undefined }

/** `isFixed`: a reload can't change it, because the primary's acceptors take it at their start. */
const limitOptions: { readonly [Name in keyof LimitSettings]: Option<LimitSettings[Name]> & { readonly isFixed?: true } } = {
  maxHeadBytes: { schema: whole(64, 1_048_576, 'bytes from 64 to 1048576'), default: undefined, isFixed: true },
  headTimeoutMs: { schema: milliseconds(1), default: 10_000, isFixed: true },
  maxUnrouted: { schema: positive(), default: 10_000, isFixed: true },
  maxUnroutedPerAddress: { schema: positive(), default: 4_096, isFixed: true },
  descriptorShare: { schema: share, default: 0.9, isFixed: true },
  lingerTimeoutMs: { schema: milliseconds(0), default: 2_000, isFixed: true },
  maxResting: { schema: positive(), default: 10_000, isFixed: true },
  maxLearned: { schema: positive(), default: 100_000 },
  learnedTtlMs: { schema: milliseconds(1), default: 86_400_000 },
  forwardTimeoutMs: { schema: milliseconds(0), default: 5_000 },
  startTimeoutMs: { schema: milliseconds(1), default: 10_000 },
  startsAtOnce: { schema: positive(), default: MIN_STARTS_AT_ONCE },
  drainTimeoutMs: { schema: milliseconds(0), default: 30_000 },
  restartDelayMs: { schema: milliseconds(0), default: 100 },
  maxRestartDelayMs: { schema: milliseconds(0), default: 30_000 },
  maxRestarts: { schema: countFromZero, default: 30 },
  restartWindowMs: { schema: milliseconds(1), default: 900_000 },
  hangTimeoutMs: { schema: milliseconds(0), default: 30_000 },
  maxListeners: { schema: positive(), default: 64 },
  listenerGraceMs: { schema: milliseconds(0), default: 10_000 },
  shutdownDelayMs: { schema: milliseconds(0), default: 0 },
  ticketKeyRotationMs: { schema: milliseconds(1), default: 43_200_000 },
}

const names = Object.keys(limitOptions) as (keyof LimitSettings)[]

export const limitEntries = schemasOf<LimitSettings>(limitOptions)

export const defaultLimits = defaultsOf<LimitSettings>(limitOptions)

export const fixedLimits = names.filter((name) => limitOptions[name].isFixed)

export function limitFaults(config: Loose): Fault[] {
  const { restartDelayMs: least = defaultLimits.restartDelayMs, maxRestartDelayMs: most = defaultLimits.maxRestartDelayMs } = config
  return orderFaults('maxRestartDelayMs', 'restartDelayMs', [least, least], [most, most])
}

/** Limits of a checked config. */
export function limitSettings(config: LimitConfig): LimitSettings {
  const startsAtOnce = Math.max(MIN_STARTS_AT_ONCE, STARTS_PER_CORE * usableCpus())
  const limits = withDefaults({ ...defaultLimits, startsAtOnce }, Object.fromEntries(names.map((name) => [name, config[name]])))
  // A config may write 0 for a hang timeout that never ends.
  return { ...limits, hangTimeoutMs: limits.hangTimeoutMs || Number.POSITIVE_INFINITY }
}
