// `decisions` and `explainTo`: what the balancer says of its choices, and to which clients.

import type { Settings } from '../settings.ts'
import { trustedProxies as addresses, flag } from './schema.ts'

export const insightEntries = { decisions: flag, explainTo: addresses }

export function insightSettings({
  decisions = false,
  explainTo = [],
}: {
  decisions?: boolean | undefined
  explainTo?: readonly string[] | undefined
}): Pick<Settings, 'decisions' | 'explainTo'> {
  return { decisions, explainTo }
}
