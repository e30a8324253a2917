// The operations on upstream servers, and whether a reload changes servers alone.

import { isDeepStrictEqual } from 'node:util'
import type { BoundRoutes } from '../dispatch/bound-routes.ts'
import { BalancerError } from '../errors.ts'
import type { OperationResult } from '../operations.ts'
import type { Upstreams } from '../upstreams/upstreams.ts'
import { type SlotName, slotName } from '../worker-name.ts'

export class ServerOperations {
  private readonly upstreams: Upstreams

  constructor(upstreams: Upstreams) {
    this.upstreams = upstreams
  }

  /** Does the name mean an upstream server, and not a worker? Throws ERR_UNKNOWN_SEAT if there is no such server, or no proxy workers. */
  isServer({ pool, slot, proxy }: SlotName): boolean {
    const slots = this.upstreams.slotsOf(pool)
    if (proxy === true && slots === undefined)
      throw operationError(
        'ERR_UNKNOWN_SEAT',
        `pool ${pool} has no proxy workers, because it has no 'upstream'; its workers are named ${pool}/0 and so on`,
      )
    if (slots === undefined || proxy === true) return false
    if (slots.includes(slot)) return true
    const known = slots.map((other) => slotName({ pool, slot: other })).join(', ')
    throw operationError(
      'ERR_UNKNOWN_SEAT',
      `there is no upstream server ${slotName({ pool, slot })}; those of ${pool} are ${known}, and its proxy workers are named ${pool}/proxy/0 and so on`,
    )
  }

  /** The server gets nothing new. Its requests end by themselves, or are cut off at the end of the drain. */
  async drain(name: SlotName): Promise<OperationResult> {
    const left = await this.upstreams.drain(name.pool, name.slot)
    return { message: left === 0 ? outOfService(name) : `${outOfService(name)}. ${left} of its requests have not ended` }
  }

  async restart(name: SlotName): Promise<OperationResult> {
    await this.upstreams.restart(name.pool, name.slot)
    return { message: `${slotName(name)} gets requests` }
  }
}

export function outOfService(name: SlotName): string {
  return `${slotName(name)} is out of service; 'balancer restart ${slotName(name)}' brings it back`
}

/** Do two configs differ for this upstream pool in its list of servers alone, so that its workers can stay? Code of the user's own may have changed. */
export function changesServersAlone(before: BoundRoutes, after: BoundRoutes, name: string): boolean {
  const [one, other] = [before, after].map(({ settings, shared }) => {
    const pool = settings.pools.find((found) => found.name === name)
    const { servers, weights, ...upstream } = pool?.upstream ?? { servers: [], weights: [], policies: [] }
    const rest = JSON.stringify({ ...pool, upstream, shared, startTimeoutMs: settings.limits.startTimeoutMs })
    return { servers, weights, rest, isOwn: pool?.upstream?.policies.includes('own') !== false }
  })
  if (one === undefined || other === undefined || one.isOwn || other.isOwn || one.rest !== other.rest) return false
  return !isDeepStrictEqual([one.servers, one.weights], [other.servers, other.weights])
}

export function operationError(
  code: 'ERR_BUSY' | 'ERR_UNKNOWN_SEAT' | 'ERR_NOTHING_TO_ROLL_BACK' | 'ERR_RELOAD_FAILED',
  message: string,
  retryable = false,
): BalancerError {
  return new BalancerError(code, message, { source: code === 'ERR_RELOAD_FAILED' ? 'app' : 'system', retryable })
}
