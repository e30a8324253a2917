// Answers workers that ask where one request belongs. The worker can't move the request's connection, so it forwards the request alone.

import { forwardReasons, HERE, LATER, NO_WORKER, packTag, type Question, type Verdict } from '@switchyard/handoff'
import { helloIn, RequestHead } from '@switchyard/routing'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import type { ActiveRoutes, Destination } from './bound-routes.ts'
import type { ClaimPoller } from './claim-poller.ts'
import type { DecisionRecorder } from './decision-recorder.ts'
import type { PathRecords } from './path-records.ts'
import { SpreadCounts } from './spread-counts.ts'

const SPREAD = forwardReasons.indexOf('spread')
const spreadCounts = new SpreadCounts()

export interface PlacementOptions {
  readonly routes: ActiveRoutes
  readonly claims: ClaimPoller
  readonly records: Pick<PathRecords, 'recorder'>
}

/** Sends the answer with the next flush. `asker`: the worker that holds the connection. */
export function answerPlacement(asker: PoolWorker, question: Question, { routes, claims, records }: PlacementOptions): void {
  asker.channel.answer(question, verdictFor(asker, question, routes, records.recorder))
  claims.touch(asker)
}

/** The same route and policy decide as for a connection. */
function verdictFor(
  asker: PoolWorker,
  { head: bytes, address, avoid, listener, hello, reason }: Question,
  routes: ActiveRoutes,
  recorder: DecisionRecorder,
): Verdict {
  const head = RequestHead.read(bytes, bytes.length, bytes.length)
  // Only a lenient parser accepts such a head, which may be meant for a pool that the asker does not see.
  if (head.outcome !== 'complete' || head.ambiguous) return NO_WORKER
  head.remoteAddress = address === '' ? undefined : address
  if (hello !== '') head.setHelloSource(hello, helloIn)
  const destination = routes.destination({ head, tag: packTag(listener, true) })
  // The low byte is the reason. A worker that was lost with the request is out of the question.
  if ((reason & 0xff) === SPREAD && avoid === 0 && isSpread(destination)) {
    const choice = destination.pool.chooseSpread(listener, (open) => spreadCounts.choose(open, asker, performance.now()))
    if (choice !== undefined) {
      recorder.asked(head, choice.worker === asker ? 'stayed' : 'forwarded', destination, choice)
      return choice.worker === asker ? HERE : choice.worker.id
    }
  }
  const choice = destination.pool.chooseNow(destination.policy, head, listener)
  if (choice.kind === 'nobody') return NO_WORKER
  if (choice.kind === 'wait' || choice.worker.id === avoid) return LATER
  recorder.asked(head, 'forwarded', destination, choice)
  return choice.worker === asker ? HERE : choice.worker.id
}

/** May every worker of the pool serve it? A policy that makes requests stay chooses, and upstream pools choose by the loops of their proxies. */
function isSpread({ pool, policy }: Destination): boolean {
  return policy.stays === undefined && pool.settings.upstream === undefined
}
