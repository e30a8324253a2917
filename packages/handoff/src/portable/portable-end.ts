// The worker's end of the portable channel. Handles come over Node's IPC with the bytes that the primary has read. The worker claims each
// by a record in a pipe when its first request starts: a written record is in the kernel and survives this process.

import { writeSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { PortableEnds } from '../channel-ends.ts'
import { keepsConnections, writeKeptLimit } from '../load/primary-words.ts'
import { writeReadySlots } from '../load/ready-slots.ts'
import { COUNTER_WORDS, ROW_WORDS, rowWords } from '../load/shared-page.ts'
import type { ConnectionInjector } from '../node-internals/connection-injector.ts'
import { type Handle, onInternalMessage } from '../node-internals/handle.ts'
import { type ControlPipe, controlPipeOf } from '../pipes/control-pipe.ts'
import type { ProxiedClient } from '../proxied-client.ts'
import { type UnpackedEntry, unpackEntry } from '../proxied-entry.ts'
import type { Offer, OfferListener, Outbox, WorkerEnd } from '../worker-end.ts'
import {
  loadFrame,
  questionFrame,
  RecordWriter,
  type ReportedLoad,
  readEndFrame,
  readHandOff,
  readLostHandOff,
  recordKinds,
} from './portable-protocol.ts'

const NOTHING = Buffer.alloc(0)
/** A worker that turns from idle to busy reports it at once, but not more often than this. */
const QUICK_LOAD_MS = 100

class PortableOffer implements Offer {
  readonly tag: number
  readonly carried: Buffer | undefined
  private readonly handle: Handle
  private readonly proxied: ProxiedClient | undefined
  private readonly sendClaim: () => boolean
  readonly offeredUs: number

  constructor(handle: Handle, { tag, bytes, proxied }: UnpackedEntry, offeredUs: number, sendClaim: () => boolean) {
    this.handle = handle
    this.tag = tag
    this.offeredUs = offeredUs
    this.carried = bytes
    this.proxied = proxied
    this.sendClaim = sendClaim
  }

  /** The primary has read the bytes that had come. */
  peek(): Buffer {
    return NOTHING
  }

  /** The primary never takes back a hand-off that it has sent, so this fails only when the primary has exited. */
  claim(): boolean {
    return this.sendClaim()
  }

  accept(injector: ConnectionInjector, carried?: Buffer, isHttp2?: boolean): Socket | undefined {
    return injector.accept(this.handle, this.tag, carried, this.offeredUs, this.proxied, isHttp2)
  }

  /** The record that the loop has turned is due at the end of the turn in any case. */
  stayBusy(): void {}

  release(): void {
    this.handle.close()
  }
}

/** Gives no connection back: Node's IPC carries one handle at a time and acknowledges each, and forwarding a request costs less. */
class PortableOutbox implements Outbox {
  readonly movesConnections = false
  readonly unsent = 0
  private readonly control: ControlPipe

  constructor(control: ControlPipe) {
    this.control = control
  }

  giveBack(): boolean {
    return false
  }

  ask(id: number, avoid: number, reason: number, listener: number, address: string, head: string, hello?: string): void {
    this.control.send(questionFrame(id, avoid, reason, listener, address, head, hello))
  }

  flushReturns(): void {}
}

export class PortableEnd implements WorkerEnd {
  readonly control: ControlPipe
  readonly sharesWords = false
  readonly outbox: PortableOutbox
  private readonly claims: number
  private readonly words = new Int32Array(ROW_WORDS + COUNTER_WORDS)
  private readonly writer = new RecordWriter()
  private listener: OfferListener | undefined
  /** The number of the last hand-off that came without its connection. */
  private lost = 0

  constructor({ control, claims }: PortableEnds) {
    this.claims = claims
    this.control = controlPipeOf(control)
    this.control.onFrame((frame) => this.onMessage(frame))
    this.outbox = new PortableOutbox(this.control)
  }

  receive(listener: OfferListener): Int32Array {
    this.listener = listener
    onInternalMessage((message, handle) => {
      const lost = handle === null || handle === undefined ? readLostHandOff(message) : undefined
      if (lost !== undefined) return this.onLost(lost)
      const handOff = readHandOff(message)
      if (handOff === undefined || handle === null || handle === undefined) return
      const { number, tag, offeredUs, carried } = handOff
      // The primary has offered it to another worker by now.
      if (number === this.lost) return handle.close()
      // Before the offer, for the app may throw. It runs after everything that came in this turn of the loop.
      setImmediate(() => this.sendRecord(recordKinds.turned, number))
      const entry = unpackEntry(tag, Buffer.from(carried, 'latin1'))
      if (entry === undefined) return handle.close()
      listener.onOffer(new PortableOffer(handle, entry, offeredUs, () => this.sendRecord(recordKinds.claimed, number)))
    })
    return this.words
  }

  keepsConnections(): boolean {
    return keepsConnections(this.words)
  }

  sentChanges(): undefined {}

  loopIsBusy(): void {
    this.words[rowWords.busySince] = 1
    this.control.send(loadFrame(this.load))
    setTimeout(this.checkIdle, QUICK_LOAD_MS).unref()
  }

  /** The record that the loop has turned says so. */
  loopIsFree(): void {}

  private onLost(number: number): void {
    if (number === this.lost) return
    this.lost = number
    this.sendRecord(recordKinds.empty, number)
  }

  private readonly checkIdle = (): void => {
    if (this.words[rowWords.inFlight] === 0) this.words[rowWords.busySince] = 0
    else setTimeout(this.checkIdle, QUICK_LOAD_MS).unref()
  }

  private onMessage(frame: object): boolean {
    const message = readEndFrame(frame)
    if (message === undefined) return false
    if ('slots' in message) writeReadySlots(this.words, message.slots)
    else if ('keep' in message) writeKeptLimit(this.words, message.keep ?? undefined)
    else if ('answer' in message) this.listener?.onAnswer(message.answer, message.verdict)
    else setImmediate(() => this.sendRecord(recordKinds.turnedWhenAsked, 0))
    return true
  }

  private get load(): ReportedLoad {
    const word = (index: number) => this.words[index] as number
    return {
      inFlight: word(rowWords.inFlight),
      received: word(rowWords.received),
      connections: word(rowWords.connections),
      latencyUs: word(rowWords.latencyUs),
    }
  }

  /** False: the primary has exited. */
  private sendRecord(kind: number, number: number): boolean {
    try {
      // The pipe never fills: the primary waits for the records of one hand-off before it sends the next.
      writeSync(this.claims, this.writer.write(kind, number, this.load))
      return true
    } catch {
      return false
    }
  }
}
