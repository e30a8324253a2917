// The primary's link to one worker on the native transport: a socket pair for hand-offs and returns, a shared page, and a pipe for
// everything else.

import type { ChildProcess } from 'node:child_process'
import type { Duplex } from 'node:stream'
import type { ChannelListener } from '../channel.ts'
import { FIRST_END_FD, type NativeEnds } from '../channel-ends.ts'
import { countSentChange, writeKeptLimit } from '../load/primary-words.ts'
import { writeReadySlots } from '../load/ready-slots.ts'
import { owners } from '../native-module.ts'
import { afterEnd } from '../pipes/after-end.ts'
import { ControlPipe } from '../pipes/control-pipe.ts'
import { MAX_UNSENT_BYTES, type Transport, type WorkerLink } from '../worker-link.ts'
import { NativeAcceptor } from './native-acceptor.ts'
import { NativeChannel } from './native-channel.ts'
import type { NativeLoadRow } from './native-load-row.ts'
import { nativePassages } from './native-passage.ts'

export class NativeLink implements WorkerLink {
  readonly movesConnections = true
  readonly channel: NativeChannel
  readonly load: NativeLoadRow
  readonly stdio: readonly (number | 'pipe')[]
  readonly ends: NativeEnds
  control: ControlPipe | undefined
  private pipe: Duplex | undefined

  constructor(listener: ChannelListener, window?: number) {
    this.channel = new NativeChannel(listener, window, () => this.control?.close())
    this.load = this.channel.load
    const { socket, memory } = this.channel.ends
    this.stdio = [socket, memory, 'pipe']
    this.ends = {
      kind: 'native',
      socket: FIRST_END_FD,
      memory: FIRST_END_FD + 1,
      control: FIRST_END_FD + 2,
      window: this.channel.ends.window,
    }
  }

  sendReadySlots(slots: readonly number[]): void {
    writeReadySlots(this.channel.row, slots)
  }

  sendKeptLimit(count: number | undefined): void {
    writeKeptLimit(this.channel.row, count)
  }

  countChange(): void {
    countSentChange(this.channel.row)
  }

  started(child: ChildProcess, onOverflow?: () => void): void {
    this.channel.started()
    const pipe = child.stdio?.[this.ends.control] as Duplex | null | undefined
    if (!pipe) return
    this.pipe = pipe
    this.control = new ControlPipe(pipe, { maxUnsentBytes: MAX_UNSENT_BYTES, onOverflow })
  }

  /** The connections that it has given back stay in the socket pair, for `Channel.readAll`. */
  afterExit(then: () => void): void {
    afterEnd(this.pipe, then)
  }
}

/** The transport over the native module, see `hasNative`. */
export function nativeTransport(): Transport {
  return {
    kind: 'native',
    owners,
    passages: nativePassages,
    openAcceptor: (options) => new NativeAcceptor(options),
    openLink: (listener, window) => new NativeLink(listener, window),
  }
}
