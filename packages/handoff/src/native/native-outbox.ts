// What this worker sends to the primary, in batches: connections that it gives back, and questions. Its socket is destroyed at once; only a
// copy of the descriptor and the bytes that were read stay until they are sent.

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { nativeCodes } from '../load/shared-page.ts'
import { native } from '../native-module.ts'
import { descriptorOf } from '../node-internals/handle.ts'
import { packQuestion } from '../returns.ts'
import type { Outbox } from '../worker-end.ts'

const BATCH = 32
const AGAIN_MS = 1
const NO_DESCRIPTOR = nativeCodes.noDescriptor

interface Outgoing {
  readonly fd: number
  /** Of a question; 0: a connection that is given back. */
  readonly id: number
  readonly tag: number
  readonly reason: number
  readonly bytes: Buffer
}

export class NativeOutbox implements Outbox {
  readonly movesConnections = true
  private waiting: Outgoing[] = []
  /** Connections among them that no flush has tried to send. */
  private fresh = 0
  private planned = false

  get unsent(): number {
    return this.waiting.filter(({ fd }) => fd !== NO_DESCRIPTOR).length
  }

  /** False: this process has no free descriptor for the copy. */
  giveBack(socket: Socket, tag: number, reason: number, carried: Buffer, response: ServerResponse | undefined): boolean {
    const fd = native().copyDescriptor(descriptorOf(socket) ?? NO_DESCRIPTOR)
    if (fd === NO_DESCRIPTOR) return false
    // The server counts the response as finished. Otherwise it creates an error for the abort, which costs a good part of the whole move.
    response?.emit('finish')
    // At once, or the next bytes would be read here. The socket closes without a shutdown, so the client sees nothing, and to the app the
    // client has hung up after its last response.
    socket.destroy()
    this.fresh++
    this.add({ fd, id: 0, tag, reason, bytes: carried })
    return true
  }

  ask(id: number, avoid: number, reason: number, listener: number, address: string, head: string, hello?: string): void {
    this.add({ fd: NO_DESCRIPTOR, id, tag: avoid, reason, bytes: packQuestion(listener, address, head, hello) })
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

  /** What the kernel has no room for is sent again after AGAIN_MS. */
  private readonly flush = (): void => {
    this.planned = false
    this.fresh = 0
    if (this.waiting.length === 0) return
    const records = Int32Array.from(this.waiting.flatMap(({ fd, id, tag, reason }) => [fd, id, tag, reason]))
    const sent = native().sendReturns(
      records,
      this.waiting.map(({ bytes }) => bytes),
    )
    // The primary has exited, and this process is about to exit too.
    this.waiting = sent === -1 ? [] : this.waiting.slice(sent)
    if (this.waiting.length > 0) setTimeout(this.flush, AGAIN_MS)
  }
}
