// What this worker sends back to the primary, in batches: connections that leave, and questions. Of a connection that leaves this process lets go
// at once, and keeps no more than a descriptor and what was read off it.

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { native } from '../native-module.ts'
import { packQuestion } from '../returns.ts'
import type { Outbox } from '../worker-end.ts'

const BATCH = 32
const AGAIN_MS = 1
const NO_DESCRIPTOR = -1

interface PrivateSocket {
  readonly _handle?: { readonly fd: number } | null
}

interface Outgoing {
  readonly fd: number
  /** Of a question; 0: a connection that leaves. */
  readonly id: number
  readonly tag: number
  readonly reason: number
  readonly bytes: Buffer
}

/** That of this worker. */
export class NativeOutbox implements Outbox {
  readonly movesConnections = true
  private waiting: Outgoing[] = []
  /** Connections among them that nothing has been tried for yet. */
  private fresh = 0
  private planned = false

  get unsent(): number {
    return this.waiting.filter(({ fd }) => fd !== NO_DESCRIPTOR).length
  }

  /** False: this process has no descriptor left for that. */
  giveBack(socket: Socket, tag: number, reason: number, carried: Buffer, response: ServerResponse | undefined): boolean {
    const fd = native().copyDescriptor((socket as unknown as PrivateSocket)._handle?.fd ?? NO_DESCRIPTOR)
    if (fd === NO_DESCRIPTOR) return false
    // To the server the response is done with, or else it would make an error of the abort, at a good part of what the whole move costs.
    response?.emit('finish')
    // At once, or what comes next would be read here. It closes without a shutdown: the client notices nothing, and to the app it has left after its last answer.
    socket.destroy()
    this.fresh++
    this.add({ fd, id: 0, tag, reason, bytes: carried })
    return true
  }

  ask(id: number, avoid: number, reason: number, listener: number, address: string, head: string): void {
    this.add({ fd: NO_DESCRIPTOR, id, tag: avoid, reason, bytes: packQuestion(listener, address, head) })
  }

  flushReturns(): void {
    if (this.fresh > 0) this.flush()
  }

  private add(outgoing: Outgoing): void {
    this.waiting.push(outgoing)
    if (this.waiting.length >= BATCH) this.flush()
    else if (!this.planned) {
      this.planned = true
      setImmediate(this.flush)
    }
  }

  /** What the primary does not take now is sent a little later. */
  private readonly flush = (): void => {
    this.planned = false
    this.fresh = 0
    if (this.waiting.length === 0) return
    const records = Int32Array.from(this.waiting.flatMap(({ fd, id, tag, reason }) => [fd, id, tag, reason]))
    const sent = native().sendReturns(
      records,
      this.waiting.map(({ bytes }) => bytes),
    )
    // When the primary is gone this process is about to follow.
    this.waiting = sent === -1 ? [] : this.waiting.slice(sent)
    if (this.waiting.length > 0) setTimeout(this.flush, AGAIN_MS)
  }
}
