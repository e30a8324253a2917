// The seam at which a worker is chosen. A policy sees only candidates: ready, with room. It has no clock, no chance and no I/O of its own.

import type { RequestHead } from './head/request-head.ts'
import type { Load } from './load.ts'
import type { PolicyData } from './policies/policy-data.ts'
import type { TicketOptions } from './policies/sticky/ticket-options.ts'
import type { Seat, TicketSeal } from './ticket.ts'
import type { VisitorSlots } from './visitors.ts'

/** What a policy may know of a worker. */
export interface Candidate {
  readonly slot: number
  readonly generation: number
  /** Share of the pool's requests this worker should have at this moment, relative to the others; 1 unless told otherwise, less while it starts slowly. */
  readonly weight: number
  /** The weight of its seat, by which keys are hashed: so none moves because a worker starts slowly. Left out: `weight`. */
  readonly seatWeight?: number
  readonly load: Load
}

/** What the owner of a route gives to its policy. */
export interface PolicyContext {
  readonly pool: string
  readonly seal: TicketSeal
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** The seats of the pool that some worker holds now, for `stays` in a process that doesn't pick. Left out: nothing is known of them but the last pick. */
  readonly slots?: () => readonly Pick<Candidate, 'slot' | 'weight'>[]
  /** Who knows visitors by cookies that the app sets. Left out: nobody does. */
  readonly visitors?: VisitorSlots | undefined
  /** Is told what a user's own function has thrown. Must not throw. */
  readonly onError?: PolicyErrorListener
}

/** Hears of errors in a user's own function. `policy` is the policy's name. */
export type PolicyErrorListener = (error: unknown, policy: string) => void

/** The seat that a head is bound to. `firm`: what it wants exists nowhere else (a session id), so it is better to wait for the worker than to go elsewhere. */
export interface Home extends Seat {
  readonly firm: boolean
}

/** Chooses a worker, or nobody for now: then the connection waits. Synchronous, total, never throws; candidates are ready and have room. */
export interface Policy {
  /** The name that `balancer explain`, configs in JSON and metrics use, such as `least-in-flight`. */
  readonly name: string
  /** How the worker runtime should set tickets for this policy's routes, as plain data. Left out: it sets none. Bound policies have every option filled in. */
  readonly ticket?: TicketOptions
  /** Cookies of the app's own that the worker runtime should look for in responses, to tell the primary who has got one. Left out: none. */
  readonly learns?: readonly string[]
  /**
   * How JSON says it, in full: `policyFromData` makes of it one that picks and judges as this one does when new. Left out: a part of it is the user's own code.
   * Whoever makes a policy out of a changed copy of another must leave it out.
   */
  readonly data?: PolicyData
  /** Gives nobody although candidates are there when all their loops are busy: who finds nobody waits for one that turns free. Left out: it always gives somebody. */
  readonly waitsForLoop?: true
  pick(candidates: readonly Candidate[], head: RequestHead): Candidate | undefined
  /** May a later request on this connection stay with the worker that holds it? Left out: yes, always; there is nobody to ask. */
  stays?(worker: Candidate, head: RequestHead): boolean
  /** Does this head belong to the worker that is picked, so that it is better off waiting for it than with another whose loop is free? Left out: yes. */
  binds?(head: RequestHead): boolean
  /** The policy that is really used on one route: the owner calls this once per route and picks with the result. Left out: the policy itself. */
  bind?(context: PolicyContext): Policy
  /** The seat the head's ticket names, so that the owner can tell *full* from *gone*. Left out or `undefined`: none. */
  home?(head: RequestHead): Home | undefined
  /** One line on what `pick` would choose and why, for people. Changes no state. */
  explain?(candidates: readonly Candidate[], head: RequestHead): string
}

/** A policy as a plain function. */
export type PolicyFunction = (candidates: readonly Candidate[], head: RequestHead) => Candidate | undefined

/**
 * Makes a policy of a plain function. When it throws, or gives something that is not one of the candidates, nobody is chosen and
 * `onError` (or else the context's, once bound) is told.
 */
export function fromFunction(choose: PolicyFunction, name: string = nameOf(choose), onError?: PolicyErrorListener): Policy {
  return {
    name,
    pick(candidates, head) {
      try {
        const chosen: unknown = choose(candidates, head)
        if (chosen === undefined || chosen === null) return undefined
        if (candidates.includes(chosen as Candidate)) return chosen as Candidate
        onError?.(new TypeError(`policy '${name}' gave something that is not one of the candidates`), name)
      } catch (error) {
        onError?.(error, name)
      }
      return undefined
    },
    bind: (context) => fromFunction(choose, name, onError ?? context.onError),
  }
}

/** The policy that is really used on a route: bound if it can be, made of a function if it is one. */
export function bindPolicy(policy: Policy | PolicyFunction, context: PolicyContext): Policy {
  const whole = typeof policy === 'function' ? fromFunction(policy) : policy
  const bound = whole.bind?.(context) ?? whole
  return bound.data === undefined ? guarded(bound, context.onError) : bound
}

/** A part of it is the user's own code, which may throw: then it chooses no worker, and the request is bound to none. */
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
  const { pick, stays, binds, home, explain } = policy
  return Object.assign(Object.create(policy) as Policy, {
    pick: guard(pick, undefined),
    ...(stays && { stays: guard(stays, true) }),
    ...(binds && { binds: guard(binds, false) }),
    ...(home && { home: guard(home, undefined) }),
    ...(explain && { explain: guard(explain, 'its own code failed') }),
  })
}

function nameOf(choose: PolicyFunction): string {
  // A function written in its place in the config is called after its property.
  return choose.name === '' || choose.name === 'policy' || choose.name === 'otherwise' ? 'own' : choose.name
}
