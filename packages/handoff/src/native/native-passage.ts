// A passage over a socket pair: passes connections between two primaries as descriptors with the bytes that were read off them.

import { nativeCodes } from '../load/shared-page.ts'
import { type NativeChannelHandle, native, owners } from '../native-module.ts'
import type { Passage, PassageListener, Passages, Passed } from '../passage.ts'
import { packEntry, unpackEntry } from '../proxied-entry.ts'
import { packRest, unpackRest } from '../returns.ts'

const AGAIN_MS = 1
const BATCH = 32
/** The entry of a connection must have at least one byte. */
const FILLER = Buffer.from([0])
/** What the bytes of an entry are, in the two low bits of its reason. */
const kinds = { untouched: 0, carried: 1, rest: 2 }
const KIND_BITS = 3
const FINAL_BIT = 4
/** The header of the PROXY protocol may still come. */
const EXPECTS_PROXY_BIT = 8

interface Outgoing {
  readonly fd: number
  readonly tag: number
  readonly reason: number
  readonly bytes: Buffer
}

export class NativePassage implements Passage {
  private readonly socket: number
  private readonly listener: PassageListener
  private readonly received = Buffer.allocUnsafeSlow(native().messageBytes())
  private readonly handle: NativeChannelHandle
  private waiting: Outgoing[] = []
  private isPlanned = false
  private isBroken = false

  constructor(socket: number, listener: PassageListener) {
    this.socket = socket
    this.listener = listener
    this.handle = native().joinPassage(socket, this.received, this, this.onMessage)
  }

  get unsent(): number {
    return this.waiting.length
  }

  pass({ connection: { fd, tag, carried, proxied }, rest, isFinal = false, expectsProxy = false }: Passed): boolean {
    if (this.isBroken) return false
    const isUntouched = carried === undefined || carried.length === 0
    const kind = rest !== undefined ? kinds.rest : isUntouched ? kinds.untouched : kinds.carried
    const bytes = rest !== undefined ? packRest(rest.timeoutMs ?? 0) : isUntouched ? FILLER : carried
    const entry = packEntry(tag, proxied, bytes)
    const reason = kind | (isFinal ? FINAL_BIT : 0) | (expectsProxy ? EXPECTS_PROXY_BIT : 0)
    owners?.move(fd, 'dispatcher', 'passage')
    this.waiting.push({ fd, tag: entry.tag, reason, bytes: entry.bytes as Buffer })
    if (this.waiting.length >= BATCH) this.flush()
    else if (!this.isPlanned) {
      this.isPlanned = true
      setImmediate(this.flush)
    }
    return true
  }

  readAll(): void {
    if (!this.isBroken) native().readReturns(this.handle)
  }

  close(): void {
    if (!this.isBroken) this.giveUp()
  }

  /** What the kernel has no room for is sent again after AGAIN_MS. */
  private readonly flush = (): void => {
    this.isPlanned = false
    if (this.isBroken || this.waiting.length === 0) return
    const records = Int32Array.from(this.waiting.flatMap(({ fd, tag, reason }) => [fd, 0, tag, reason]))
    const sent = native().sendReturns(
      records,
      this.waiting.map(({ bytes }) => bytes),
      this.socket,
    )
    if (sent === -1) return this.giveUp()
    for (const { fd } of this.waiting.slice(0, sent)) owners?.move(fd, 'passage', 'none')
    this.waiting = this.waiting.slice(sent)
    if (this.waiting.length === 0) return
    this.isPlanned = true
    setTimeout(this.flush, AGAIN_MS)
  }

  private giveUp(): void {
    this.isBroken = true
    for (const { fd } of this.waiting) {
      owners?.move(fd, 'passage', 'none')
      native().closeDescriptor(fd)
    }
    this.waiting = []
    native().closeChannel(this.handle)
  }

  private readonly onMessage = (fd: number, _id: number, tag: number, reason: number, offset: number, length: number): void => {
    if (fd === nativeCodes.noDescriptor) return this.listener.onBatchEnd()
    const entry = unpackEntry(tag, Buffer.from(this.received.subarray(offset, offset + length)))
    if (entry === undefined) return native().closeDescriptor(fd)
    owners?.move(fd, 'none', 'dispatcher')
    const { bytes, proxied } = entry
    const kind = reason & KIND_BITS
    this.listener.onPassed({
      connection: { fd, tag: entry.tag, carried: kind === kinds.carried ? bytes : undefined, proxied },
      ...(kind === kinds.rest && { rest: { timeoutMs: unpackRest(bytes) } }),
      isFinal: (reason & FINAL_BIT) !== 0,
      ...((reason & EXPECTS_PROXY_BIT) !== 0 && { expectsProxy: true }),
    })
  }
}

export const nativePassages: Passages = {
  open(listener) {
    const [own, remote] = native().openPassage()
    return { passage: new NativePassage(own, listener), remote }
  },
  join: (fd, listener) => new NativePassage(fd, listener),
}
