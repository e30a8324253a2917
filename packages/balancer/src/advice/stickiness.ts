// Stickiness that does not hold: keys that change with each request, and socket.io sessions that reach workers which do not have them.

import type { Advice } from '../advice.ts'
import { routesText } from './config-text.ts'
import type { Period, PoolPeriod } from './period.ts'

const LEAST_MOVES = 100
/** Of the answered requests of the route. With two workers, half of the requests with a new key move. */
const LEAST_SHARE = 0.3
const LEAST_LOST = 20

export function changingKeys({ config, pools, answered }: Period): Advice[] {
  return config.routes.flatMap(({ name }) => {
    const moved = pools.reduce((sum, pool) => sum + movesOf(pool, name), 0)
    const requests = answered.get(name) ?? 0
    if (moved < LEAST_MOVES || moved < requests * LEAST_SHARE) return []
    return {
      kind: 'changing-key',
      subject: name,
      seen: `${moved} of ${requests} requests of route '${name}' moved to another worker, because their sticky key was a new one, although the request before on the same connection came from the same client.`,
      advice: `Use a key that stays the same for a client, such as a session cookie or the balancer's own ticket. If no request needs its worker again, remove the sticky policy.`,
      config: name.startsWith('/') ? routesText([{ path: name, policy: { sticky: { by: 'ticket' } } }]) : null,
    }
  })
}

export function lostSessions({ pools }: Period): Advice[] {
  return pools.flatMap(({ facts, workers }) => {
    const found = workers.flatMap(({ observed }) => observed?.lostSessions ?? [])
    const requests = found.reduce((sum, lost) => sum + lost.requests, 0)
    const [first] = found
    if (first === undefined || requests < LEAST_LOST || workers.length < 2) return []
    const { path, isSticky } = first
    return {
      kind: 'lost-sessions',
      subject: path,
      seen: `${requests} requests of socket.io clients (EIO=) were refused, because they reached a worker of pool '${facts.name}' that does not have their session: ${isSticky ? 'their session ids carry no ticket' : 'their route is not sticky'}.`,
      advice: `Call stickyIds(io.engine) from '@switchyard/worker-runtime' in the app${isSticky ? '' : ', and make the route sticky by ticket'}. Or let clients use websockets only: transports: ['websocket'].`,
      config: isSticky ? null : routesText([{ path, pool: facts.name, policy: { sticky: { by: 'ticket' } } }]),
    }
  })
}

function movesOf({ workers }: PoolPeriod, route: string): number {
  return workers
    .flatMap(({ observed }) => observed?.changingKeys ?? [])
    .reduce((sum, moved) => sum + (moved.route === route ? moved.requests : 0), 0)
}
