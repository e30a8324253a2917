// Who this process is: its seat, its seal and its line to the primary. One per process; absent outside a pool.

import { randomBytes } from 'node:crypto'
import { openWorkerEnd, type WorkerEnd } from '@switchyard/handoff'
import { TicketSeal } from '@switchyard/routing'
import { readFromPrimary, type ToPrimary, type ToWorker, type WorkerStart } from './protocol.ts'
import { readStart } from './start-pipe.ts'

export interface Runtime {
  readonly start: WorkerStart
  readonly seal: TicketSeal
  /** This worker's end of its channel. */
  readonly end: WorkerEnd
  send(message: ToPrimary): void
  onMessage(listener: (message: ToWorker) => void): void
  /** Does the line to the primary keep this process alive when nothing else does? At first it does. */
  keepAlive(keeps: boolean): void
  /** Messages of changes that the primary has sent, those on their way too; undefined: that can't be seen. */
  sentChanges(): number | undefined
}

const KEY_BYTES = 32

let runtime: Runtime | undefined

/** The runtime of this worker; undefined outside a pool. */
export function currentRuntime(): Runtime | undefined {
  return runtime
}

/** Reads the start data; undefined: this process is no worker. Throws as `readStart`. */
export function openRuntime(env: NodeJS.ProcessEnv): Runtime | undefined {
  const start = readStart(env)
  if (start === undefined) return undefined
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
    seal: sealOf(start),
    send(message) {
      control.send(message)
    },
    onMessage(listener) {
      listeners.push(listener)
      if (listeners.length === 1) control.onFrame(hear)
    },
    keepAlive(keeps) {
      // The channel of Node's own IPC: node:cluster listens on it, which counts like a listener of the app's. The control pipe keeps nothing alive.
      if (keeps) process.channel?.ref()
      else process.channel?.unref()
    },
    sentChanges: () => end.sentChanges(),
  }
  return runtime
}

/** A pool without routes by ticket has no keys: its seal opens nothing, and nobody opens what it seals. */
function sealOf({ ticketKeys }: WorkerStart): TicketSeal {
  const keys = ticketKeys.map(({ id, secret }) => ({ id, secret: Buffer.from(secret, 'base64') }))
  return new TicketSeal(keys.length === 0 ? [{ id: 0, secret: randomBytes(KEY_BYTES) }] : keys)
}
