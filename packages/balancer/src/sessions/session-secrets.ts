// The secrets that sign session ids. Whoever configures one secret for the balancer need not think of a second: unless there is one for sessions alone they are made of
// the secrets of tickets, and live as long as those, also over an upgrade.

import { createHmac } from 'node:crypto'
import type { TicketKey } from '@switchyard/routing'
import type { Settings } from '../settings.ts'

const LABEL = 'switchyard session id'

/** Of the secrets of tickets: nobody who learns these learns those. */
export function derivedSecrets(keys: readonly TicketKey[]): string[] {
  return keys.map(({ secret }) => secretOf(secret))
}

/** Of secrets that are for sessions alone. */
export function ownSecrets(secrets: readonly string[]): string[] {
  return secrets.map(secretOf)
}

/** The settings with other keys of tickets, and the secrets of sessions that go with them. */
export function withTicketKeys(settings: Settings, ticketKeys: readonly TicketKey[]): Settings {
  const { sessions, hasSessionSecret } = settings
  return { ...settings, ticketKeys, sessions: hasSessionSecret ? sessions : { ...sessions, secrets: derivedSecrets(ticketKeys) } }
}

function secretOf(secret: string | Uint8Array): string {
  return createHmac('sha256', secret).update(LABEL).digest('base64url')
}
