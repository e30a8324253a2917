// The secrets that sign session ids. Unless the config has a secret for sessions, they are derived from the ticket secrets, so that one
// configured secret is enough. Derived secrets last as long as the ticket secrets, also over an upgrade.

import { createHmac } from 'node:crypto'
import type { TicketKey } from '@switchyard/routing'
import type { Settings } from '../settings.ts'

const LABEL = 'switchyard session id'

/** Derived from the ticket secrets by HMAC: a leaked session secret does not reveal a ticket secret. */
export function derivedSecrets(keys: readonly TicketKey[]): string[] {
  return keys.map(({ secret }) => secretOf(secret))
}

/** From the configured secrets for sessions. */
export function ownSecrets(secrets: readonly string[]): string[] {
  return secrets.map(secretOf)
}

/** The settings with other ticket keys, and with the session secrets that follow from them. */
export function withTicketKeys(settings: Settings, ticketKeys: readonly TicketKey[]): Settings {
  const { sessions, hasSessionSecret } = settings
  return { ...settings, ticketKeys, sessions: hasSessionSecret ? sessions : { ...sessions, secrets: derivedSecrets(ticketKeys) } }
}

function secretOf(secret: string | Uint8Array): string {
  return createHmac('sha256', secret).update(LABEL).digest('base64url')
}
