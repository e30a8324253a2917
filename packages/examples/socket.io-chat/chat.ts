// The chat: rooms, messages with their senders, and which worker answered. Other examples put it into their own server.

import { worker } from '@switchyard/worker-runtime'
import type { Server } from 'socket.io'

const MAX_NAME = 40
const MAX_TEXT = 500

/** The worker that answered. */
interface WorkerSlot {
  readonly slot: number | undefined
  readonly pid: number
}

interface Message {
  readonly from: string
  readonly text: string
  /** The worker that the sender's session lives in. */
  readonly worker: WorkerSlot
}

interface FromServer {
  /** The session lives in this worker. */
  welcome(workerSlot: WorkerSlot): void
  said(message: Message): void
}

interface FromClient {
  /** Answered with the worker that handled it, once the message has gone to the whole room. */
  say(text: unknown, answer: unknown): void
}

export type ChatServer = Server<FromClient, FromServer>

/** Lets every socket of `io` chat in the room that its handshake names. */
export function serveChat(io: ChatServer): void {
  const workerSlot: WorkerSlot = { slot: worker.slot, pid: process.pid }
  io.on('connection', (socket) => {
    const { room, name } = socket.handshake.auth
    const place = shortText(room, MAX_NAME, 'lobby')
    const from = shortText(name, MAX_NAME, 'guest')
    void socket.join(place)
    socket.emit('welcome', workerSlot)
    socket.on('say', (text, answer) => {
      io.to(place).emit('said', { from, text: shortText(text, MAX_TEXT, ''), worker: workerSlot })
      if (typeof answer === 'function') answer(workerSlot)
    })
  })
}

function shortText(value: unknown, length: number, otherwise: string): string {
  return typeof value === 'string' && value !== '' ? value.slice(0, length) : otherwise
}
