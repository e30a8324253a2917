// The native line to a worker: a socket pair for descriptors and what goes with them, and memory that both sides see.

import type { ChildProcess } from 'node:child_process'
import type { ChannelListener } from './channel.ts'
import { FIRST_END_FD, type NativeEnds } from './ends.ts'
import type { Transport, WorkerLink } from './link.ts'
import { owners } from './native.ts'
import { NativeChannel } from './native-channel.ts'
import { NativeDoor } from './native-door.ts'
import type { NativeLoadRow } from './native-load-row.ts'
import { nativePassages } from './native-passage.ts'
import { tellSeats } from './seats.ts'
import { countToldChange } from './told-changes.ts'

export class NativeLink implements WorkerLink {
  readonly channel: NativeChannel
  readonly load: NativeLoadRow
  readonly stdio: readonly number[]
  readonly ends: NativeEnds
  readonly control = undefined

  constructor(listener: ChannelListener, window?: number) {
    this.channel = new NativeChannel(listener, window)
    this.load = this.channel.load
    const { socket, memory } = this.channel.ends
    this.stdio = [socket, memory]
    this.ends = { kind: 'native', socket: FIRST_END_FD, memory: FIRST_END_FD + 1, window: this.channel.ends.window }
  }

  tellSeats(slots: readonly number[]): void {
    tellSeats(this.channel.row, slots)
  }

  countChange(): void {
    countToldChange(this.channel.row)
  }

  started(_child: ChildProcess): void {
    this.channel.started()
  }

  /** What it had said is in the socket pair, for `hearOut`. */
  afterExit(then: () => void): void {
    then()
  }
}

/** The way over the native module; see `hasNative`. */
export function nativeTransport(): Transport {
  return {
    kind: 'native',
    owners,
    passages: nativePassages,
    openDoor: (options) => new NativeDoor(options),
    openLink: (listener, window) => new NativeLink(listener, window),
  }
}
