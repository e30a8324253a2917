// The inspector of one process: sends it commands, and calls back for its events.

import type { WebSocket } from 'ws'

/** A heap snapshot comes in many messages, a CPU profile in one. */
const MAX_MESSAGE_BYTES = 512 * 2 ** 20
const HANDSHAKE_TIMEOUT_MS = 5_000

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly message?: string }
}

interface Waiting {
  readonly resolve: (result: Readonly<Record<string, unknown>>) => void
  readonly reject: (error: Error) => void
}

export class Inspector {
  private readonly socket: WebSocket
  private readonly waiting = new Map<number, Waiting>()
  private readonly listeners = new Map<string, (params: Readonly<Record<string, unknown>>) => void>()
  private lastId = 0
  /** Rejects when the process closes its inspector or exits. */
  readonly lost: Promise<never>

  /** Rejects if there is no answer. */
  static async connect(url: string): Promise<Inspector> {
    const { WebSocket } = await import('ws')
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    })
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve())
      socket.once('error', reject)
    })
    return new Inspector(socket)
  }

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data) => this.onMessage(JSON.parse(String(data)) as Message))
    socket.on('error', () => {})
    this.lost = new Promise((_resolve, reject) => {
      socket.on('close', () => reject(new Error('the worker has exited, or has closed its inspector')))
    })
    this.lost.catch(() => {})
  }

  /** Resolves with the result of a command. Rejects with the error of the inspector, or when the process exits. */
  send(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<Readonly<Record<string, unknown>>> {
    const id = ++this.lastId
    const answer = new Promise<Readonly<Record<string, unknown>>>((resolve, reject) => this.waiting.set(id, { resolve, reject }))
    this.socket.send(JSON.stringify({ id, method, params }), () => {})
    return Promise.race([answer, this.lost])
  }

  on(event: string, listener: (params: Readonly<Record<string, unknown>>) => void): void {
    this.listeners.set(event, listener)
  }

  /** Ends the connection, and the inspector with it if `ends`. Resolves when it is closed. */
  async close(ends: boolean): Promise<void> {
    const closed = this.lost.catch(() => {})
    // There is no answer: the connection ends with the inspector.
    if (ends) this.send('Runtime.evaluate', { expression: 'process._debugEnd()' }).catch(() => {})
    else this.socket.close()
    const timer = setTimeout(() => this.socket.terminate(), HANDSHAKE_TIMEOUT_MS)
    await closed
    clearTimeout(timer)
  }

  private onMessage({ id, method, params = {}, result = {}, error }: Message): void {
    if (method !== undefined) return this.listeners.get(method)?.(params)
    const waiting = this.waiting.get(id ?? 0)
    this.waiting.delete(id ?? 0)
    if (error === undefined) waiting?.resolve(result)
    else waiting?.reject(new Error(error.message ?? 'the inspector has refused the command'))
  }
}
