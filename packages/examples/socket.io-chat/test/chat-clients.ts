// Many socket.io clients at once, without a cookie jar. Each sends messages to its own room, receives them, and learns which worker
// answered.

import { io, type Socket } from 'socket.io-client'
import { patience } from '../../../../test/support/patience.ts'
import type { RunningExample } from '../../test-support/start.ts'

export type Mode = readonly ('polling' | 'websocket')[]

export const modes: readonly (readonly [name: string, transports: Mode])[] = [
  ['polling, then websocket', ['polling', 'websocket']],
  ['polling only', ['polling']],
  ['websocket only', ['websocket']],
]

export interface ChatRun {
  readonly clients: number
  readonly roundTrips: number
  readonly transports: Mode
  readonly timeoutMs: number
}

/** The observations of one client. */
export interface ClientReport {
  /** Processes that answered; one, if sessions stay where they are. */
  readonly pids: readonly number[]
  readonly roundTrips: number
  readonly lastTransport: string
  /** Errors, disconnects, reconnects: there should be none. */
  readonly faults: readonly string[]
}

/** Runs all clients at once, to the end. Never rejects: faults are in the reports. */
export function chatRun(example: RunningExample, run: ChatRun): Promise<ClientReport[]> {
  return Promise.all(Array.from({ length: run.clients }, (_, index) => chatClient(example, run, index)))
}

async function chatClient({ url }: RunningExample, { roundTrips, transports, timeoutMs }: ChatRun, index: number): Promise<ClientReport> {
  const faults: string[] = []
  const pids = new Set<number>()
  const room = `${transports.join()} ${index}`
  const socket = io(url, { transports: [...transports], forceNew: true, auth: { room, name: `client ${index}` } })
  let done = 0
  let lastTransport = ''
  let leaving = false
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      faults.push(`${patience(timeoutMs)} ms went by after ${done} of ${roundTrips} round trips`)
      finish()
    }, patience(timeoutMs))
    const finish = (): void => {
      leaving = true
      clearTimeout(timer)
      lastTransport = socket.io.engine?.transport.name ?? ''
      resolve()
    }
    watchForFaults(socket, (fault) => {
      if (leaving) return
      faults.push(fault)
      finish()
    })
    let text = ''
    let open = 0
    // A round trip is over when the room has the message and the worker has answered.
    const arrived = (): void => {
      if (--open > 0) return
      done++
      next()
    }
    const next = (): void => {
      if (done === roundTrips) return isSettled(socket, transports) ? finish() : void socket.io.engine.once('upgrade', finish)
      open = 2
      text = `${index}.${done}`
      socket.emit('say', text, (workerSlot: { pid: number }) => {
        pids.add(workerSlot.pid)
        arrived()
      })
    }
    socket.on('said', (message: { text: string; worker: { pid: number } }) => {
      if (message.text !== text) return faults.push(`heard '${message.text}' and not '${text}'`)
      pids.add(message.worker.pid)
      arrived()
    })
    socket.once('welcome', (workerSlot: { pid: number }) => {
      pids.add(workerSlot.pid)
      next()
    })
  })
  socket.close()
  return { pids: [...pids], roundTrips: done, lastTransport, faults }
}

/** Has it reached its last transport? */
function isSettled(socket: Socket, transports: Mode): boolean {
  return socket.io.engine.transport.name === transports.at(-1)
}

function watchForFaults(socket: Socket, onFault: (fault: string) => void): void {
  socket.on('connect_error', (error) => onFault(`connect: ${error.message} ${describe(error)}`))
  socket.on('disconnect', (reason, details) => onFault(`disconnect: ${reason} ${describe(details)}`))
  socket.io.on('reconnect_attempt', () => onFault('reconnect'))
  socket.io.on('error', (error) => onFault(`manager: ${error.message}`))
  socket.io.on('open', () => {
    socket.io.engine.on('upgradeError', (error) => onFault(`upgrade: ${error.message}`))
    socket.io.engine.on('error', (error) => onFault(`engine: ${describe(error)}`))
  })
}

/** The server's answer is in the error's context: 'Session ID unknown' is found there. */
function describe(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const { message, description, context } = error as { message?: string; description?: unknown; context?: { responseText?: string } }
  return [message, String(description ?? ''), context?.responseText].filter(Boolean).join(' ')
}
