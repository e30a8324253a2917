// The worker's end of the portable channel: handles come over Node's IPC with what the primary had read, and each is claimed by a record in a pipe in
// the moment its first request begins. What is written there is in the kernel, whatever becomes of this process.

import { writeSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { PortableEnds } from '../channel-ends.ts'
import { keepsConnections, writeKeptLimit } from '../load/primary-words.ts'
import { writeReadySlots } from '../load/ready-slots.ts'
import { ROW_WORDS, rowWords } from '../load/shared-page.ts'
import type { ConnectionInjector } from '../node-internals/connection-injector.ts'
import type { Handle } from '../node-internals/handle.ts'
import { type ControlPipe, controlPipeOf } from '../pipes/control-pipe.ts'
import type { Offer, OfferListener, WorkerEnd } from '../worker-end.ts'
import { PortableOutbox } from './portable-outbox.ts'
import { loadFrame, RecordWriter, type ReportedLoad, readHandOff, readLostHandOff, readToEnd, recordKinds } from './portable-protocol.ts'

const NOTHING = Buffer.alloc(0)
/** A worker that turns from idle to busy says so at once, but not more often than this. */
const QUICK_LOAD_MS = 100

class PortableOffer implements Offer {
  readonly tag: number
  readonly carried: Buffer | undefined
  private readonly handle: Handle
  private readonly sendClaim: () => boolean

  constructor(handle: Handle, tag: number, carried: Buffer | undefined, tell: () => boolean) {
    this.handle = handle
    this.tag = tag
    this.carried = carried
    this.sendClaim = tell
  }

  /** The primary has read what there was. */
  peek(): Buffer {
    return NOTHING
  }

  /** The primary takes nothing back that it has sent, so this fails only when there is no primary any more. */
  claim(): boolean {
    return this.sendClaim()
  }

  accept(injector: ConnectionInjector, carried?: Buffer): Socket | undefined {
    return injector.accept(this.handle, this.tag, carried)
  }

  /** The answer is due in any case when the turn is over. */
  stayBusy(): void {}

  release(): void {
    this.handle.close()
  }
}

export class PortableEnd implements WorkerEnd {
  readonly control: ControlPipe
  readonly sharesWords = false
  readonly outbox: PortableOutbox
  private readonly claims: number
  private readonly words = new Int32Array(ROW_WORDS)
  private readonly writer = new RecordWriter()
  private listener: OfferListener | undefined
  /** The last hand-off that came without its connection. */
  private lost = 0

  constructor({ control, claims }: PortableEnds) {
    this.claims = claims
    this.control = controlPipeOf(control)
    this.control.onFrame((frame) => this.onMessage(frame))
    this.outbox = new PortableOutbox(this.control)
  }

  receive(listener: OfferListener): Int32Array {
    this.listener = listener
    const inner = process as unknown as {
      on(event: 'internalMessage', listener: (message: unknown, handle: Handle | null | undefined) => void): void
    }
    inner.on('internalMessage', (message, handle) => {
      const lost = handle === null || handle === undefined ? readLostHandOff(message) : undefined
      if (lost !== undefined) return this.onLost(lost)
      const handOff = readHandOff(message)
      if (handOff === undefined || handle === null || handle === undefined) return
      const { number, tag, carried } = handOff
      // By now the primary gives it to another.
      if (number === this.lost) return handle.close()
      // First, for the app may throw. All that came with this turn of the loop runs before it.
      setImmediate(() => this.sendRecord(recordKinds.turned, number))
      const bytes = carried === '' ? undefined : Buffer.from(carried, 'latin1')
      listener.onOffer(new PortableOffer(handle, tag, bytes, () => this.sendRecord(recordKinds.claimed, number)))
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
    setTimeout(this.mayBeIdle, QUICK_LOAD_MS).unref()
  }

  /** Its answer to the hand-off, when the loop has turned, says so. */
  loopIsFree(): void {}

  private onLost(number: number): void {
    if (number === this.lost) return
    this.lost = number
    this.sendRecord(recordKinds.empty, number)
  }

  private readonly mayBeIdle = (): void => {
    if (this.words[rowWords.inFlight] === 0) this.words[rowWords.busySince] = 0
    else setTimeout(this.mayBeIdle, QUICK_LOAD_MS).unref()
  }

  private onMessage(frame: object): boolean {
    const said = readToEnd(frame)
    if (said === undefined) return false
    if ('slots' in said) writeReadySlots(this.words, said.slots)
    else if ('keep' in said) writeKeptLimit(this.words, said.keep ?? undefined)
    else if ('answer' in said) this.listener?.onAnswer(said.answer, said.verdict)
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

  /** False: there is nobody to hear it. */
  private sendRecord(kind: number, number: number): boolean {
    try {
      // Never full: the primary waits for one answer before it sends the next hand-off.
      writeSync(this.claims, this.writer.write(kind, number, this.load))
      return true
    } catch {
      return false
    }
  }
}
