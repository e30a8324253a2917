// Finds and loads the native module, once per process, and types its functions. No other file loads it.

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { checkLayout, LayoutMismatch } from './load/shared-page.ts'
import { newOwners } from './owners.ts'

export interface NativeChannelHandle {
  readonly __brand: 'channel'
}

/** What the native sources export. The comment above each function there says what it does. */
export interface Native {
  openAcceptor(
    records: Int32Array,
    bytes: Uint8Array,
    headBytes: number,
    lastDescriptor: number,
    receiver: object,
    onBatch: (count: number, failure: number) => void,
  ): void
  resizeAcceptor(bytes: Uint8Array, headBytes: number): void
  closeAcceptor(): void
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
  watchHangUp(fd: number): boolean
  unwatch(fd: number): void
  peek(fd: number): number
  discard(fd: number, bytes: number): void
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
  answer(channel: NativeChannelHandle, id: number, verdict: number): void
  readReturns(channel: NativeChannelHandle): void
  closeChannel(channel: NativeChannelHandle): void
  openReceiver(
    socket: number,
    memory: number,
    window: number,
    bytes: Uint8Array,
    peeked: Uint8Array,
    receiver: object,
    onReceived: (fd: number, index: number, word: number, tag: number, offset: number, carried: number, offeredUs: number) => void,
  ): ArrayBuffer
  copyDescriptor(fd: number): number
  sendReturns(records: Int32Array, bytes: readonly Uint8Array[], socket?: number): number
  messageBytes(): number
  peekReceived(fd: number): number
  claim(fd: number, index: number, word: number, bytes: number): boolean
  markBusy(): void
  markFree(): void
  holdBusy(): void
  describeListener(fd: number): (NativeAddress & { ipv6Only: boolean }) | undefined
  adoptListener(fd: number, backlog: number, deferSeconds: number): void
  openPassage(): [one: number, other: number]
  joinPassage(
    socket: number,
    bytes: Uint8Array,
    receiver: object,
    onReturn: (fd: number, id: number, tag: number, reason: number, offset: number, length: number) => void,
  ): NativeChannelHandle
  shareMemory(bytes: number): { fd: number; memory: ArrayBuffer }
  mapMemory(fd: number, bytes: number): ArrayBuffer
  readonly layout: Readonly<Record<string, number>>
  sendDatagram(path: string, text: string): void
  hasZombie(): boolean
  reap(pid: number): boolean
}

/** An address as the kernel reports it. */
export interface NativeAddress {
  readonly host: string | undefined
  readonly port: number | undefined
  readonly path: string | undefined
}

/** The owners of this process's descriptors, where they are checked. */
export const owners = newOwners()

/** Why the native module can't be used. `file`: it exists and does not load; undefined: there is none for this system. */
export class NativeMissing extends Error {
  readonly file: string | undefined

  constructor(message: string, file?: string, cause?: unknown) {
    super(message, { cause })
    this.file = file
  }
}

let loaded: Native | Error | undefined

/** The native module. Throws `NativeMissing`, or a `LayoutMismatch` when it was built from other sources. */
export function native(): Native {
  loaded ??= load(candidates(createRequire(import.meta.url)))
  if (loaded instanceof Error) throw loaded
  return loaded
}

/** Why `native()` throws; undefined: it does not. Throws a `LayoutMismatch` as `native()` does. */
export function nativeFault(): NativeMissing | undefined {
  try {
    native()
    return undefined
  } catch (error) {
    if (error instanceof NativeMissing) return error
    throw error
  }
}

/** Can the native module be used? Throws a `LayoutMismatch` as `native()` does. */
export function hasNative(): boolean {
  return nativeFault() === undefined
}

/** The module that this machine has built, and the one of the package for its system. */
function candidates({ resolve }: NodeJS.Require): string[] {
  const own = fileURLToPath(new URL('../build/handoff.node', import.meta.url))
  const files = existsSync(own) ? [own] : []
  try {
    files.push(resolve(`${platformPackage()}/handoff.node`))
  } catch {
    // The package is for other systems, or was left out.
  }
  return files
}

/** The name of the package with the module for this system, where there is one. */
export function platformPackage(): string {
  return `@switchyard/handoff-${process.platform}-${process.arch}-gnu`
}

/** Loads the first file that loads. */
export function load(files: readonly string[]): Native | Error {
  const require = createRequire(import.meta.url)
  let fault: Error | undefined
  for (const file of files) {
    try {
      const module = require(file) as Native
      checkLayout(module.layout)
      return module
    } catch (error) {
      if (error instanceof LayoutMismatch) fault ??= error
      else fault ??= new NativeMissing(`${file} does not load: ${reasonOf(error as Error, file)}`, file, error)
    }
  }
  if (fault !== undefined) return fault
  if (process.platform !== 'linux') return new NativeMissing(`the native module is for Linux, and this is ${process.platform}`)
  return new NativeMissing(`there is no native module for this system (${process.platform} ${process.arch})`)
}

/** The first line of the loader's message, which may begin with the file. */
function reasonOf({ message }: Error, file: string): string {
  return (message.split('\n')[0] as string).replace(`${file}: `, '')
}
