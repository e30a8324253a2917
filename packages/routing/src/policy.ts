// The seam where a worker is chosen. A policy sees candidates only: ready workers with room. It has no clock, randomness or I/O.

import type { RequestHead } from './head/request-head.ts'
import type { Load } from './load.ts'
import type { PolicyData, TicketOptions } from './policy-data.ts'
import type { Seat, TicketSeal } from './ticket.ts'
import type { TicketHomes } from './tls-ticket-name.ts'
import type { VisitorSlots } from './visitors.ts'

/** What a policy may know of a worker. */
export interface Candidate {
  readonly slot: number
  readonly generation: number
  /** The worker's share of the pool's requests at this moment, relative to the others. Default 1; smaller during slow start. */
  readonly weight: number
  /** The weight of the slot, for hashing keys: it ignores slow start, so no key moves because of it. Default `weight`. */
  readonly seatWeight?: number
  readonly load: Load
}

/** What the owner of a route gives to its policy. */
export interface PolicyContext {
  readonly pool: string
  readonly seal: TicketSeal
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** The occupied slots of the pool, for `stays` in a process that does not pick. Left out: the candidates of the last pick. */
  readonly slots?: () => readonly Pick<Candidate, 'slot' | 'weight'>[]
  /** Every slot that the pool should have, with or without a worker, by its weight for keys. Left out: a missing worker is not seen by the hash of a key. */
  readonly homes?: (() => readonly Pick<Candidate, 'slot' | 'weight'>[]) | undefined
  /** Maps visitors to slots by cookies that the app sets. Left out: no visitor is known. */
  readonly visitors?: VisitorSlots | undefined
  /** Maps the TLS session tickets of a ClientHello to slots. Left out: they say nothing. */
  readonly tlsTickets?: TicketHomes | undefined
  /** Called with what a user's own function has thrown. Must not throw. */
  readonly onError?: PolicyErrorListener
  /** Called when a sticky policy has picked a candidate. Must not throw. */
  readonly onSticky?: (outcome: StickyOutcome) => void
}

/**
 * What a sticky policy could do for a head: it has no key (`no-key`), its worker got it (`kept`), or another worker did, because its own was
 * overloaded or not among the candidates (`gone`).
 */
export const stickyOutcomes = ['kept', 'no-key', 'overloaded', 'gone'] as const
export type StickyOutcome = (typeof stickyOutcomes)[number]

/** What binds a head to a worker. */
export interface PolicyKey {
  /** For people, such as `cookie connect.sid`. */
  readonly kind: string
  readonly value: string
}

/** Receives errors of a user's own function. `policy` is the policy's name. */
export type PolicyErrorListener = (error: unknown, policy: string) => void

/**
 * The slot and generation that a head is bound to. `firm`: what the request needs exists in that worker only (a session id), so it waits for the
 * worker rather than go to another.
 */
export interface Home extends Seat {
  readonly firm: boolean
}

/** Chooses a worker, or `undefined` for now: then the connection waits. Synchronous, total, never throws. */
export interface Policy {
  /** The name in `balancer explain`, in JSON configs and in metrics, such as `least-in-flight`. */
  readonly name: string
  /** How the worker runtime sets tickets for this policy's routes. Left out: it sets none. Bound policies have every option filled in. */
  readonly ticket?: TicketOptions
  /** Cookies of the app that the worker runtime looks for in responses and reports to the primary. Left out: none. */
  readonly learns?: readonly string[]
  /**
   * The policy as complete JSON: `policyFromData` builds an equal, new policy from it. Left out: a part of the policy is the user's own code.
   * A changed copy of another policy must leave it out.
   */
  readonly data?: PolicyData
  /** `pick` gives no candidate while all loops are busy; the connection then waits for one that turns free. Left out: `pick` always chooses. */
  readonly waitsForLoop?: true
  pick(candidates: readonly Candidate[], head: RequestHead): Candidate | undefined
  /** May a later request on this connection stay with the worker that holds it? Left out: always. */
  stays?(worker: Candidate, head: RequestHead): boolean
  /** Does this head belong to the picked worker, so that it waits for that worker rather than take another whose loop is free? Left out: yes. */
  binds?(head: RequestHead): boolean
  /** Makes the policy that one route really uses. The owner calls it once per route. Left out: the policy itself. */
  bind?(context: PolicyContext): Policy
  /** The slot that the head's ticket names, so that the owner can tell a full worker from a gone one. Left out or `undefined`: none. */
  home?(head: RequestHead): Home | undefined
  /** What `pick` would choose. Changes no state. Left out: only `pick` can say. */
  preview?(candidates: readonly Candidate[], head: RequestHead): Candidate | undefined
  /** The key of a head, as sent and not verified. Left out or `undefined`: none. */
  key?(head: RequestHead): PolicyKey | undefined
  /** One line for people on what `pick` would choose and why, without the key itself. Changes no state. */
  explain?(candidates: readonly Candidate[], head: RequestHead): string
}

/** A policy as a plain function. */
export type PolicyFunction = (candidates: readonly Candidate[], head: RequestHead) => Candidate | undefined

/**
 * Makes a policy of a plain function. If the function throws, or returns something that is not a candidate, no worker is chosen and
 * `onError` (or the context's, once bound) is called.
 */
export function fromFunction(choose: PolicyFunction, name: string = nameOf(choose), onError?: PolicyErrorListener): Policy {
  return {
    name,
    pick(candidates, head) {
      try {
        const chosen: unknown = choose(candidates, head)
        if (chosen === undefined || chosen === null) return undefined
        if (candidates.includes(chosen as Candidate)) return chosen as Candidate
        onError?.(new TypeError(`policy '${name}' returned something that is not one of the candidates`), name)
      } catch (error) {
        onError?.(error, name)
      }
      return undefined
    },
    bind: (context) => fromFunction(choose, name, onError ?? context.onError),
  }
}

/** The policy that a route really uses: a function becomes a policy, and a policy is bound if it can be. */
export function bindPolicy(policy: Policy | PolicyFunction, context: PolicyContext): Policy {
  const whole = typeof policy === 'function' ? fromFunction(policy) : policy
  const bound = whole.bind?.(context) ?? whole
  return bound.data === undefined ? guarded(bound, context.onError) : bound
}

/** The explanation of a policy contained in another, or else its name. */
export function explanationOf(policy: Policy, candidates: readonly Candidate[], head: RequestHead): string {
  return policy.explain?.(candidates, head) ?? policy.name
}

/** What the policy would pick. A policy of the user's own that has no `preview` is asked to pick. */
export function previewOf(policy: Policy, candidates: readonly Candidate[], head: RequestHead): Candidate | undefined {
  return policy.preview === undefined ? policy.pick(candidates, head) : policy.preview(candidates, head)
}

/** Wraps a policy that contains user code. When that throws, the policy chooses no worker and binds the request to none. */
function guarded(policy: Policy, onError: PolicyErrorListener | undefined): Policy {
  function guard<A extends readonly unknown[], R>(method: (...values: A) => R, instead: R): (...values: A) => R {
    return (...values) => {
      try {
        return Reflect.apply(method, policy, values)
      } catch (error) {
        onError?.(error, policy.name)
        return instead
      }
    }
  }
  const { pick, stays, binds, home, explain, preview, key } = policy
  return Object.assign(Object.create(policy) as Policy, {
    pick: guard(pick, undefined),
    ...(stays && { stays: guard(stays, true) }),
    ...(binds && { binds: guard(binds, false) }),
    ...(home && { home: guard(home, undefined) }),
    ...(preview && { preview: guard(preview, undefined) }),
    ...(key && { key: guard(key, undefined) }),
    ...(explain && { explain: guard(explain, 'its own code failed') }),
  })
}

function nameOf(choose: PolicyFunction): string {
  // JavaScript names an inline function in a config after its property.
  return choose.name === '' || choose.name === 'policy' || choose.name === 'otherwise' ? 'own' : choose.name
}
