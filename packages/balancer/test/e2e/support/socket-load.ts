// Clients that keep a session while workers are replaced: socket.io's own client, which comes back by itself, and websockets that come back when they are
// told 1012. Nothing of what they say may be lost.

import { io } from 'socket.io-client'
import { WebSocket } from 'ws'
import { patience } from '../../../../../test/support/patience.ts'
import type { LoadRun } from './http-load.ts'
import { thinkTime } from './raw-client.ts'

export type Transports = readonly ('polling' | 'websocket')[]

/** Each way in which socket.io's client may be connected. */
export const transportsOfAll: readonly Transports[] = [['polling', 'websocket'], ['polling'], ['websocket']]

const ACK_MS = patience(5_000)
/** Between two messages. */
const MOST_REST_MS = 50
const RETRIES = 5
const RESTARTS = 1012

interface Said {
  readonly number: number
  readonly text: string
  readonly release: number
  /** It had been heard before, and the answer was lost with the session. */
  readonly again: boolean
}

/** Says one thing after the other until the run is over; each must be answered, once, in order. Never rejects. */
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
      const said: Said = await socket.emitWithAck('say', number, text)
      tally.count(name)
      if (said.again) tally.count('said twice')
      if (said.number !== number || said.text !== text) tally.fault('wrong answer', `${name}: ${said.number} for ${number}`)
      const stale = said.release <= target.begun ? undefined : `release ${said.release} before ${done}`
      if (stale !== undefined) tally.fault('wrong release', `${name}: ${stale}`)
      await thinkTime(random() * MOST_REST_MS)
    }
  } catch (error) {
    tally.fault('not answered', `${name}: ${(error as Error).message}`)
  }
  socket.close()
}

/** Says one thing after the other over a websocket; opens another as soon as it is told that the service restarts. Never rejects. */
export async function converse(run: LoadRun): Promise<void> {
  for (let number = 0; !run.isOver(); ) number = await converseOnce(run, number)
}

/** Gives the number of what has not been answered. */
function converseOnce(run: LoadRun, first: number): Promise<number> {
  const { target, tally } = run
  let number = first
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${target.port}/ws`, { handshakeTimeout: patience(5_000) })
    let timer: NodeJS.Timeout | undefined
    const say = (): void => {
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
      say()
    })
    socket.on('message', (message) => {
      const [release, ...text] = `${message}`.split(' ')
      if (text.join(' ') !== `message ${number}`) tally.fault('wrong answer', `websocket: ${message} for ${number}`)
      if (!(Number(release) <= target.begun)) tally.fault('wrong release', `websocket: ${release}`)
      tally.count('websocket messages')
      number++
      setTimeout(say, run.random() * MOST_REST_MS)
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
