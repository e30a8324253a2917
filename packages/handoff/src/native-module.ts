// The native module's functions and their types. The only file that loads it.

import { createRequire } from 'node:module'
import { newOwners } from './owners.ts'

export interface NativeChannelHandle {
  readonly __brand: 'channel'
}

/** What handoff.cc exports; its comments say what each does. */
export interface Native {
  openDoor(
    records: Int32Array,
    bytes: Uint8Array,
    headBytes: number,
    lastDescriptor: number,
    receiver: object,
    onBatch: (count: number, failure: number) => void,
  ): void
  resizeDoor(bytes: Uint8Array, headBytes: number): void
  closeDoor(): void
  listenTcp(address: string, port: number, ipv6Only: boolean, backlog: number, deferSeconds: number, reusePort?: boolean): number
  listenUnix(path: string, backlog: number): number
  boundPort(fd: number): number
  addListener(fd: number, id: number, peek: boolean, isInherited: boolean): void
  admitOn(id: number): void
  resumeListeners(): void
  closeListener(id: number): void
  setPeek(id: number, peek: boolean, deferSeconds: number): void
  pauseListeners(): void
  holdOffArrivals(ms: number): void
  closeListeners(): void
  nextDescriptor(): number
  watch(fd: number): boolean
  watchLeaving(fd: number): boolean
  unwatch(fd: number): void
  peek(fd: number): number
  refuse(fd: number, answer: Uint8Array): boolean
  closeDescriptor(fd: number): void
  peerAddress(fd: number): string | undefined
  descriptorLimit(): number
  openChannel(
    window: number,
    bytes: Uint8Array,
    receiver: object,
    onReturn: (fd: number, id: number, tag: number, reason: number, offset: number, length: number) => void,
  ): { channel: NativeChannelHandle; remote: number; memory: number; row: ArrayBuffer }
  channelStarted(channel: NativeChannelHandle): void
  offer(channel: NativeChannelHandle, fd: number, tag: number, bound: boolean, carried?: Uint8Array): number
  flush(channel: NativeChannelHandle): number
  settle(channel: NativeChannelHandle, settled: Int32Array): number
  takeBack(channel: NativeChannelHandle, settled: Int32Array): number
  recall(channel: NativeChannelHandle, most: number, olderThanUs: number, recalled: Int32Array): number
  answer(channel: NativeChannelHandle, id: number, said: number): void
  readReturns(channel: NativeChannelHandle): void
  closeChannel(channel: NativeChannelHandle): void
  openReceiver(
    socket: number,
    memory: number,
    window: number,
    bytes: Uint8Array,
    peeked: Uint8Array,
    receiver: object,
    onReceived: (fd: number, index: number, word: number, tag: number, offset: number, carried: number) => void,
  ): ArrayBuffer
  copyDescriptor(fd: number): number
  sendReturns(records: Int32Array, bytes: readonly Uint8Array[], socket?: number): number
  messageBytes(): number
  peekReceived(fd: number): number
  claim(fd: number, index: number, word: number, take: number): boolean
  markBusy(): void
  markFree(): void
  holdBusy(): void
  describeListener(fd: number): (NativeAddress & { ipv6Only: boolean }) | undefined
  takeListener(fd: number, backlog: number, deferSeconds: number): void
  openPassage(): [one: number, other: number]
  joinPassage(
    socket: number,
    bytes: Uint8Array,
    receiver: object,
    onReturn: (fd: number, id: number, tag: number, reason: number, offset: number, length: number) => void,
  ): NativeChannelHandle
  sendDatagram(path: string, text: string): void
  hasZombie(): boolean
  reap(pid: number): boolean
}

/** An address as the kernel tells it. */
export interface NativeAddress {
  readonly host: string | undefined
  readonly port: number | undefined
  readonly path: string | undefined
}

/** Of the descriptors of this process. */
export const owners = newOwners()

let loaded: Native | Error | undefined

/** The native module. Throws what the loader said when it is not built. */
export function native(): Native {
  if (loaded === undefined) {
    try {
      loaded = createRequire(import.meta.url)('../build/handoff.node') as Native
    } catch (error) {
      loaded = error as Error
    }
  }
  if (loaded instanceof Error) throw loaded
  return loaded
}

/** Is the native module built for this machine? */
export function hasNative(): boolean {
  try {
    return native() !== undefined
  } catch {
    return false
  }
}
