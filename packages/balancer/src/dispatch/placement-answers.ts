// Answers workers that ask where one request belongs. The worker can't move the request's connection, so it forwards the request alone.

import { HERE, LATER, NO_WORKER, packTag, type Question, type Verdict } from '@switchyard/handoff'
import { RequestHead } from '@switchyard/routing'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import type { ActiveRoutes } from './bound-routes.ts'
import type { ClaimPoller } from './claim-poller.ts'

/** Sends the answer with the next flush. `asker`: the worker that holds the connection. */
export function answerPlacement(asker: PoolWorker, question: Question, routes: ActiveRoutes, claims: ClaimPoller): void {
  asker.channel.answer(question, verdictFor(asker, question, routes))
  claims.touch(asker)
}

/** The same route and policy decide as for a connection. */
function verdictFor(asker: PoolWorker, { head: bytes, address, avoid, listener }: Question, routes: ActiveRoutes): Verdict {
  const head = RequestHead.read(bytes, bytes.length, bytes.length)
  // Only a lenient parser accepts such a head, which may be meant for a pool that the asker does not see.
  if (head.outcome !== 'complete' || head.ambiguous) return NO_WORKER
  head.remoteAddress = address === '' ? undefined : address
  const { pool, policy } = routes.destination({ head, tag: packTag(listener, true) })
  const choice = pool.chooseNow(policy, head, listener)
  if (choice.kind === 'nobody') return NO_WORKER
  if (choice.kind === 'wait' || choice.worker.id === avoid) return LATER
  return choice.worker === asker ? HERE : choice.worker.id
}
