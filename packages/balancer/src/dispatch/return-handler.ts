// What workers send back: connections, questions, and the signal that their loop has turned.

import { type Acceptor, type Connection, type Question, unpackRest } from '@switchyard/handoff'
import type { PoolWorker, WorkerReturns } from '../supervisor/pool-worker.ts'
import type { ActiveRoutes } from './bound-routes.ts'
import type { ClaimPoller } from './claim-poller.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { PathRecords } from './path-records.ts'
import { answerPlacement } from './placement-answers.ts'

export interface ReturnHandlerOptions {
  readonly acceptor: Acceptor
  readonly dispatcher: Dispatcher
  readonly routes: ActiveRoutes
  readonly claims: ClaimPoller
  readonly records: Pick<PathRecords, 'moves' | 'recorder'>
}

/** Passes each return to the part that handles it, and counts requests that move. */
export class ReturnHandler implements WorkerReturns {
  private readonly options: ReturnHandlerOptions

  constructor(options: ReturnHandlerOptions) {
    this.options = options
  }

  onGivenBack(worker: PoolWorker, connection: Connection, reason: number): void {
    const { acceptor, dispatcher, records } = this.options
    if (records.moves.countGivenBack(reason, worker.routeNames) !== 'rest') dispatcher.onGivenBack(connection)
    else if (dispatcher.others.isPassing) dispatcher.others.passResting(connection)
    else acceptor.rest(connection, unpackRest(connection.carried))
  }

  onAsked(worker: PoolWorker, question: Question): void {
    this.options.records.moves.countForwarded(question.reason, worker.routeNames)
    answerPlacement(worker, question, this.options)
  }

  onTurned(worker: PoolWorker): void {
    this.options.dispatcher.onTurned(worker)
  }

  onBatchEnd(): void {
    this.options.claims.flush()
  }
}
