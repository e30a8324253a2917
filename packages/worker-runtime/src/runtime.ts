// Who this process is: its seat, its seal and its line to the primary. One per process; absent outside a pool.

import { openWorkerEnd, type WorkerEnd } from '@switchyard/handoff'
import { TicketSeal } from '@switchyard/routing'
import { readFromPrimary, START_VARIABLE, type ToPrimary, type ToWorker, type WorkerStart } from './protocol.ts'

export interface Runtime {
  readonly start: WorkerStart
  readonly seal: TicketSeal
  /** This worker's end of its channel. */
  readonly end: WorkerEnd
  send(message: ToPrimary): void
  onMessage(listener: (message: ToWorker) => void): void
  /** Messages of changes that the primary has sent, those on their way too; undefined: that can't be seen. */
  toldChanges(): number | undefined
}

let runtime: Runtime | undefined

/** The runtime of this worker; undefined outside a pool. */
export function currentRuntime(): Runtime | undefined {
  return runtime
}

/** Reads the start data once and removes it from the environment, so that the app's own children are nobody's workers. */
export function openRuntime(env: NodeJS.ProcessEnv): Runtime | undefined {
  const text = env[START_VARIABLE]
  if (text === undefined || process.send === undefined) return undefined
  delete env[START_VARIABLE]
  const start = JSON.parse(text) as WorkerStart
  const end = openWorkerEnd(start.ends)
  const { control } = end
  const listeners: ((message: ToWorker) => void)[] = []
  const hear = (message: unknown): boolean => {
    const ours = readFromPrimary(message)
    if (ours !== undefined) for (const listener of listeners) listener(ours)
    return ours !== undefined
  }
  runtime = {
    start,
    end,
    seal: new TicketSeal(start.ticketKeys.map(({ id, secret }) => ({ id, secret: Buffer.from(secret, 'base64') }))),
    send(message) {
      control.send(message)
    },
    onMessage(listener) {
      listeners.push(listener)
      if (listeners.length === 1) control.onFrame(hear)
    },
    toldChanges: () => end.toldChanges(),
  }
  return runtime
}
