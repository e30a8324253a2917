// What a pick alone costs, with candidates as the balancer has them: their rows are words of memory, a page for each worker.
// The built packages are measured, as they run.

import { NativeLoadRow, readClock, rowWords } from '../../packages/handoff/dist/index.js'
import { type Candidate, type Policy, policyNamed, policyNames, type RequestHead } from '../../packages/routing/dist/index.js'
import type { Verdict } from './report.ts'
import type { AbsoluteTarget } from './scenarios.ts'

export interface MicroCase {
  readonly name: string
  readonly reads: boolean
  readonly run: () => unknown
}

export interface MicroRow {
  readonly name: string
  /** Nanoseconds for one, median of the batches. */
  readonly nsPerOp: number
  readonly batches: number
  /** Reading the head from its bytes is a part of it. */
  readonly reads: boolean
}

const PAGE_BYTES = 4096
const ROW_WORDS = 32
const POLICIES = ['least-in-flight', 'least-busy']
const WORKERS = [4, 64, 1_024]

export const pickTarget: AbsoluteTarget = { scenario: pickName('least-busy', 64), contender: 'switchyard', unit: 'µs', atMost: 1 }

/** Workers of which every other one is free; several share the least, as in life: ties are part of the cost. */
export function boardCandidates(count: number): readonly Candidate[] {
  const board = new ArrayBuffer(count * PAGE_BYTES)
  return Array.from({ length: count }, (_, slot) => {
    const words = new Int32Array(board, slot * PAGE_BYTES, ROW_WORDS)
    const isBusy = slot % 2 === 0
    words[rowWords.inFlight] = isBusy ? 1 + (slot % 3) : 0
    words[rowWords.received] = 1_000
    words[rowWords.connections] = slot
    words[rowWords.latencyUs] = 2_000 + (slot % 5)
    words[rowWords.busySince] = isBusy ? 1 + slot : 0
    words[rowWords.turnWaitUs] = 1_500
    const load = new NativeLoadRow(words)
    load.handedOff = 1_000
    return { slot, generation: 1, weight: 1, load }
  })
}

/** A case for every policy that there is and each number of workers. */
export function policyCases(head: RequestHead, names: readonly string[] = POLICIES): readonly MicroCase[] {
  return names
    .filter((name) => policyNames.includes(name))
    .flatMap((name) =>
      WORKERS.map((workers) => ({ name: pickName(name, workers), reads: false, run: pickOf(policyNamed(name), workers, head) })),
    )
}

/** One pick: a look at the clock, and the policy's choice. */
function pickOf(policy: Policy, workers: number, head: RequestHead): () => Candidate | undefined {
  const candidates = boardCandidates(workers)
  return () => {
    readClock()
    return policy.pick(candidates, head)
  }
}

/** None while there is no such policy. */
export function pickVerdicts(rows: readonly MicroRow[]): readonly Verdict[] {
  return rows
    .filter(({ name }) => name === pickTarget.scenario)
    .map(({ nsPerOp }) => ({ ...pickTarget, load: 'one process', measured: nsPerOp / 1000, met: nsPerOp / 1000 <= pickTarget.atMost }))
}

function pickName(policy: string, workers: number): string {
  return `pick by ${policy} (${workers} candidates)`
}
