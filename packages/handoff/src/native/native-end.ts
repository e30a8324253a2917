// The worker's end of the native channel: it receives descriptors and claims each when its first request starts.

import type { Socket } from 'node:net'
import type { NativeEnds } from '../channel-ends.ts'
import { keepsConnections, readSentChanges } from '../load/primary-words.ts'
import { nativeCodes } from '../load/shared-page.ts'
import { native } from '../native-module.ts'
import type { ConnectionInjector } from '../node-internals/connection-injector.ts'
import { type ControlPipe, controlPipeOf } from '../pipes/control-pipe.ts'
import type { ProxiedClient } from '../proxied-client.ts'
import { unpackEntry } from '../proxied-entry.ts'
import type { Offer, OfferListener, WorkerEnd } from '../worker-end.ts'
import { NativeOutbox } from './native-outbox.ts'

const PEEK_BYTES = 65536
/** The buffer of `peekReceived`. */
const peeked = Buffer.alloc(PEEK_BYTES)

class NativeOffer implements Offer {
  readonly tag: number
  readonly carried: Buffer | undefined
  private readonly proxied: ProxiedClient | undefined
  private readonly fd: number
  private readonly index: number
  private readonly word: number
  readonly offeredUs: number

  constructor(
    fd: number,
    index: number,
    word: number,
    tag: number,
    carried: Buffer | undefined,
    proxied: ProxiedClient | undefined,
    offeredUs: number,
  ) {
    this.fd = fd
    this.index = index
    this.word = word
    this.tag = tag
    this.carried = carried
    this.proxied = proxied
    this.offeredUs = offeredUs
  }

  peek(): Buffer {
    return Buffer.from(peeked.subarray(0, native().peekReceived(this.fd)))
  }

  /** By compare-and-swap. */
  claim(bytes: number): boolean {
    return native().claim(this.fd, this.index, this.word, bytes)
  }

  accept(injector: ConnectionInjector, carried?: Buffer, isHttp2?: boolean): Socket | undefined {
    return injector.accept(this.fd, this.tag, carried, this.offeredUs, this.proxied, isHttp2)
  }

  stayBusy(): void {
    native().holdBusy()
  }

  release(): void {
    native().closeDescriptor(this.fd)
  }
}

export class NativeEnd implements WorkerEnd {
  readonly outbox = new NativeOutbox()
  readonly control: ControlPipe
  readonly sharesWords = true
  private readonly ends: NativeEnds
  private words: Int32Array | undefined

  constructor(ends: NativeEnds) {
    this.ends = ends
    this.control = controlPipeOf(ends.control)
  }

  receive(listener: OfferListener): Int32Array {
    const received = Buffer.alloc(native().messageBytes())
    const { socket, memory, window } = this.ends
    const words = native().openReceiver(
      socket,
      memory,
      window,
      received,
      peeked,
      {},
      (fd, index, word, tag, offset, carried, offeredUs) => {
        if (fd === nativeCodes.noDescriptor) return listener.onAnswer(word, tag)
        if (carried === 0) return listener.onOffer(new NativeOffer(fd, index, word, tag, undefined, undefined, offeredUs))
        const entry = unpackEntry(tag, Buffer.from(received.subarray(offset, offset + carried)))
        if (entry === undefined) return native().closeDescriptor(fd)
        listener.onOffer(new NativeOffer(fd, index, word, entry.tag, entry.bytes, entry.proxied, offeredUs))
      },
    )
    this.words = new Int32Array(words)
    return this.words
  }

  keepsConnections(): boolean {
    return this.words === undefined || keepsConnections(this.words)
  }

  sentChanges(): number | undefined {
    return this.words && readSentChanges(this.words)
  }

  loopIsBusy(): void {
    native().markBusy()
  }

  loopIsFree(): void {
    native().markFree()
  }
}
