// Counts requests that move to another worker because their key differs from that of the request before them, although both came from the same
// client over the same connection. A proxy that carries many visitors moves requests too: then the clients differ.

import type { IncomingMessage } from 'node:http'
import { type ChangingKey, MAX_CHANGING_KEYS } from '../observation-messages.ts'

/** Keys of a route that are remembered, so that a key that returns does not count. */
const MAX_KEYS = 512
const MAX_KEY_PART = 64
/** What is the same in all requests of one client. */
const CLIENT_FIELDS = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'user-agent', 'authorization', 'accept-language'] as const

interface Keys {
  requests: number
  readonly seen: Set<string>
}

export class ChangingKeys {
  private readonly byRoute = new Map<string, Keys>()

  get list(): ChangingKey[] {
    return [...this.byRoute].map(([route, { requests }]) => ({ route, requests }))
  }

  /** The request moves. `keyOf`: the key by which the policy of its route chooses. */
  record(
    route: string,
    request: IncomingMessage,
    previous: IncomingMessage | undefined,
    keyOf: (request: IncomingMessage) => string | undefined,
  ): void {
    if (previous === undefined || !isSameClient(request, previous)) return
    const [key, before] = [keyOf(request), keyOf(previous)]
    if (key === undefined || before === undefined || key === before) return
    const keys = this.byRoute.get(route) ?? { requests: 0, seen: new Set<string>() }
    if (!this.byRoute.has(route) && this.byRoute.size >= MAX_CHANGING_KEYS) return
    this.byRoute.set(route, keys)
    const part = key.slice(0, MAX_KEY_PART)
    if (!keys.seen.has(part)) keys.requests++
    if (keys.seen.size >= MAX_KEYS) keys.seen.clear()
    keys.seen.add(part)
  }
}

function isSameClient({ headers }: IncomingMessage, { headers: before }: IncomingMessage): boolean {
  return CLIENT_FIELDS.every((name) => headers[name] === before[name])
}
