// Replays recorded decisions: fresh policies of the same config explain each one, and must name the worker that the primary chose.

import { bindPolicy, type Candidate, idleLoad, KeyHasher, type Policy, previewOf, RequestHead, TicketSeal } from '@switchyard/routing'
import type { Decision, DecisionCandidate } from '../../../src/decisions/decision.ts'
import { STUCK_MS, soonest } from '../../../src/dispatch/pool.ts'
import { routeTable } from '../../../src/dispatch/route-table.ts'
import type { Settings } from '../../../src/settings.ts'

/** A request whose key the test knows: the text that the balancer hashes, and the head that carries it. */
export interface KnownKey {
  readonly key: string
  readonly head: RequestHead
}

type Replayed = Candidate & { readonly load: Candidate['load'] & { readonly nextInMs: number; readonly onTheWay: number } }

const KEYLESS = RequestHead.of({ target: '/' })

export class DecisionReplay {
  /** Decisions that named another worker, as texts. */
  readonly faults: string[] = []
  readonly byWay = new Map<string, number>()
  private readonly policies = new Map<string, Policy>()
  private readonly heads: ReadonlyMap<string, RequestHead>

  constructor(settings: Settings, known: readonly KnownKey[]) {
    const seal = new TicketSeal(settings.ticketKeys)
    routeTable(settings, (policy, pool, route) => {
      this.policies.set(route, bindPolicy(policy, { pool, seal, now: Date.now }))
    })
    const hasher = new KeyHasher(KeyHasher.secretOf(settings.ticketKeys[0]?.secret ?? ''))
    this.heads = new Map(known.map(({ key, head }) => [hasher.of(key), head]))
  }

  /** Call it for every decision, in order: policies break ties in turn. */
  replay(decision: Decision): void {
    const { number, route, by, worker, origin, waitedMs, key } = decision
    this.byWay.set(by ?? 'none', (this.byWay.get(by ?? 'none') ?? 0) + 1)
    if (worker === null) return
    const policy = this.policies.get(route) as Policy
    const head = key === null ? KEYLESS : this.heads.get(key.hash)
    if (head === undefined) return void this.faults.push(`${number}: an unknown key ${JSON.stringify(key)}`)
    const all = decision.candidates.map(candidateOf)
    const candidates = origin === 'recalled' ? all.filter(({ load }) => load.isFree || load.busyMs < STUCK_MS) : all
    const named = namedBy(policy.explain?.(candidates, head) ?? '')
    const picked = previewOf(policy, candidates, head)
    policy.pick(candidates, head)
    const found = by === 'ahead' && picked === undefined ? soonest(all, waitedMs) : picked
    if (found?.slot !== worker.slot || found.generation !== worker.generation)
      this.faults.push(`${number}: ${found?.slot} instead of ${worker.slot}: ${JSON.stringify(decision)}`)
    if (picked?.slot !== named) this.faults.push(`${number}: explained as ${named}: ${policy.explain?.(candidates, head)}`)
  }
}

/** The last slot in an explanation that is not passed over. */
function namedBy(text: string): number | undefined {
  const slot = [...text.matchAll(/slot (\d+)(?! is (?:not free|overloaded)|, which is overloaded| for )/g)].at(-1)?.[1]
  return slot === undefined || /no worker is free/.test(text) ? undefined : Number(slot)
}

function candidateOf({ slot, generation, weight, seatWeight, nextInMs, ...load }: DecisionCandidate): Replayed {
  return { slot, generation, weight, seatWeight, load: { ...idleLoad, ...load, nextInMs: nextInMs ?? Number.POSITIVE_INFINITY } }
}
