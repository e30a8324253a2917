// What a primary leaves to its successor beside sockets, read off what it is at this moment.

import type { Settings } from '../settings.ts'
import type { DesiredPool } from '../supervisor/desired-pool.ts'
import type { HandedOver } from './messages.ts'

export function handedOverBy(
  { ticketKeys }: Settings,
  wanted: Iterable<DesiredPool>,
  freePorts: Readonly<Record<string, number>>,
): HandedOver {
  const pools = [...wanted]
  return {
    freePorts,
    // A secret that somebody has configured is read again from where it stands.
    ticketKeys: ticketKeys.flatMap(({ id, secret }) => (typeof secret === 'string' ? [] : [{ id, secret: secret.toString('base64') }])),
    generations: Object.fromEntries(pools.map(({ name, latestGeneration }) => [name, latestGeneration + 1])),
    workers: Object.fromEntries(
      pools.filter(({ workers, version }) => workers !== version.settings.workers).map(({ name, workers }) => [name, workers]),
    ),
  }
}
