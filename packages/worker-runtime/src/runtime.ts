// This worker's identity and its connection to the primary. One per process; absent outside a pool.

import { randomBytes } from 'node:crypto'
import { openWorkerEnd, type WorkerEnd } from '@switchyard/handoff'
import { TicketSeal } from '@switchyard/routing'
import { readFromPrimary } from './message-checks.ts'
import type { ToPrimary, ToWorker, WorkerStart } from './protocol.ts'
import { readStart } from './start-pipe.ts'

export interface Runtime {
  readonly start: WorkerStart
  readonly seal: TicketSeal
  /** This worker's end of the channel to the primary. */
  readonly end: WorkerEnd
  send(message: ToPrimary): void
  onMessage(listener: (message: ToWorker) => void): void
  /** Whether the connection to the primary keeps this process alive. At first it does. */
  keepAlive(keeps: boolean): void
  /** Number of change messages that the primary has sent, including those on their way; undefined over the portable channel. */
  sentChanges(): number | undefined
}

const KEY_BYTES = 32

let runtime: Runtime | undefined

/** The runtime of this worker; undefined outside a pool. */
export function currentRuntime(): Runtime | undefined {
  return runtime
}

/** Reads the start data; undefined if this process is no worker. Throws as `readStart` does. */
export function openRuntime(env: NodeJS.ProcessEnv): Runtime | undefined {
  const start = readStart(env)
  if (start === undefined) return undefined
  const end = openWorkerEnd(start.ends)
  const { control } = end
  const listeners: ((message: ToWorker) => void)[] = []
  const onFrame = (message: unknown): boolean => {
    const valid = readFromPrimary(message)
    if (valid !== undefined) for (const listener of listeners) listener(valid)
    return valid !== undefined
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
      if (listeners.length === 1) control.onFrame(onFrame)
    },
    keepAlive(keeps) {
      // Node's own IPC channel: the listener of node:cluster counts like one of the app. The control pipe keeps nothing alive.
      if (keeps) process.channel?.ref()
      else process.channel?.unref()
    },
    sentChanges: () => end.sentChanges(),
  }
  return runtime
}

/** A pool without ticket routes has no keys. Its seal gets a random key, which no other process has. */
function sealOf({ ticketKeys }: WorkerStart): TicketSeal {
  const keys = ticketKeys.map(({ id, secret }) => ({ id, secret: Buffer.from(secret, 'base64') }))
  return new TicketSeal(keys.length === 0 ? [{ id: 0, secret: randomBytes(KEY_BYTES) }] : keys)
}
