// socket.io clients and websockets that talk while workers are replaced. socket.io reconnects by itself; a websocket reconnects after close
// code 1012. No message may be lost.

import { io } from 'socket.io-client'
import { WebSocket } from 'ws'
import { patience } from '../../../../../test/support/patience.ts'
import type { LoadRun } from './http-load.ts'
import { thinkTime } from './raw-client.ts'

export type Transports = readonly ('polling' | 'websocket')[]

/** The transports that a socket.io client may use. */
export const transportsOfAll: readonly Transports[] = [['polling', 'websocket'], ['polling'], ['websocket']]

const ACK_MS = patience(5_000)
/** Pause between two messages. */
const MAX_PAUSE_MS = 50
const RETRIES = 5
/** Close code "service restart". */
const RESTARTS = 1012

interface Reply {
  readonly number: number
  readonly text: string
  readonly release: number
  /** The message had been received before, and its answer was lost with the engine.io session. */
  readonly again: boolean
}

/** Sends one message after the other until the run is over. Each must be answered once, in order. Never rejects. */
export async function chat(run: LoadRun, transports: Transports): Promise<void> {
  const { target, tally, random } = run
  const name = `socket.io ${transports.join(', ')}`
  const socket = io(`http://127.0.0.1:${target.port}`, {
    transports: [...transports],
    forceNew: true,
    ackTimeout: ACK_MS,
    retries: RETRIES,
    reconnectionDelay: 10,
    reconnectionDelayMax: 100,
  })
  socket.on('disconnect', (reason) => {
    if (run.isOver()) return
    tally.count('socket.io reconnects')
    if (reason !== 'transport close') tally.fault('disconnect', `${name}: ${reason}`)
  })
  socket.on('connect_error', (error) => tally.fault('connect error', `${name}: ${error.message} ${detailsOf(error)}`))
  try {
    for (let number = 0; !run.isOver(); number++) {
      const { done } = target
      const text = 'x'.repeat(Math.floor(random() * 200))
      const reply: Reply = await socket.emitWithAck('say', number, text)
      tally.count(name)
      if (reply.again) tally.count('said twice')
      if (reply.number !== number || reply.text !== text) tally.fault('wrong answer', `${name}: ${reply.number} for ${number}`)
      const stale = reply.release <= target.begun ? undefined : `release ${reply.release} before ${done}`
      if (stale !== undefined) tally.fault('wrong release', `${name}: ${stale}`)
      await thinkTime(random() * MAX_PAUSE_MS)
    }
  } catch (error) {
    tally.fault('not answered', `${name}: ${(error as Error).message}`)
  }
  socket.close()
}

/** Sends one message after the other over a websocket, and reconnects after close code 1012. Never rejects. */
export async function converse(run: LoadRun): Promise<void> {
  for (let number = 0; !run.isOver(); ) number = await converseOnce(run, number)
}

/** Uses one websocket. Resolves with the number of the first unanswered message. */
function converseOnce(run: LoadRun, first: number): Promise<number> {
  const { target, tally } = run
  let number = first
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${target.port}/ws`, { handshakeTimeout: patience(5_000) })
    let timer: NodeJS.Timeout | undefined
    const send = (): void => {
      clearTimeout(timer)
      if (socket.readyState === WebSocket.CLOSED) return
      if (run.isOver()) return socket.close(1000)
      timer = setTimeout(() => {
        tally.fault('timed out', `websocket: ${number}, ${number - first} answered on it, state ${socket.readyState}`)
        socket.terminate()
      }, patience(5_000))
      socket.send(`message ${number}`)
    }
    socket.on('open', () => {
      tally.count('websockets')
      send()
    })
    socket.on('message', (message) => {
      const [release, ...text] = `${message}`.split(' ')
      if (text.join(' ') !== `message ${number}`) tally.fault('wrong answer', `websocket: ${message} for ${number}`)
      if (!(Number(release) <= target.begun)) tally.fault('wrong release', `websocket: ${release}`)
      tally.count('websocket messages')
      number++
      setTimeout(send, run.random() * MAX_PAUSE_MS)
    })
    socket.on('error', (error) => tally.fault('websocket error', error.message))
    socket.on('close', (code) => {
      clearTimeout(timer)
      if (code !== RESTARTS && !run.isOver()) tally.fault('websocket closed', `with ${code}`)
      resolve(number)
    })
  })
}

function detailsOf(error: unknown): string {
  const { description, context } = error as { description?: unknown; context?: { responseText?: string } }
  return [String(description ?? ''), context?.responseText].filter(Boolean).join(' ')
}
