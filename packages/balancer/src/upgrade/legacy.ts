// What a primary leaves to its successor beside sockets, read off what it is at this moment.

import type { Pool } from '../pool/pool.ts'
import type { Settings } from '../settings.ts'
import type { Accession } from './accession.ts'
import type { Legacy } from './talk.ts'

/** `accession`: how this primary itself came to be, if it is a successor. */
export function legacyOf(settings: Settings, pools: Iterable<Pool>, freePort: number, accession: Accession | undefined): Legacy {
  const generations = [...pools].map((pool): [string, number] => {
    const { name } = pool.settings
    return [name, Math.max(accession?.generationOf(name) ?? 0, ...[...pool.workers].map(({ generation }) => generation)) + 1]
  })
  return {
    freePort,
    // A secret that somebody has configured is read again from where it stands.
    ticketKeys: settings.ticketKeys.flatMap(({ id, secret }) =>
      typeof secret === 'string' ? [] : [{ id, secret: secret.toString('base64') }],
    ),
    generations: Object.fromEntries(generations),
    workers: {},
  }
}
