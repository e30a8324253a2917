// `decisions`, `explainTo` and `advice`: what the balancer says of its choices and of what it sees.

import type { Settings } from '../settings.ts'
import { trustedProxies as addresses, flag } from './schema.ts'

export const insightEntries = { decisions: flag, explainTo: addresses, advice: flag }

export function insightSettings({
  decisions = false,
  explainTo = [],
  advice = true,
}: {
  decisions?: boolean | undefined
  explainTo?: readonly string[] | undefined
  advice?: boolean | undefined
}): Pick<Settings, 'decisions' | 'explainTo' | 'advice'> {
  return { decisions, explainTo, advice }
}
