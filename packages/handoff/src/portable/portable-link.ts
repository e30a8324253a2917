// The primary's link to one worker on the portable transport: Node's IPC for hand-offs, a pipe for claims, and a pipe for everything else.

import type { ChildProcess } from 'node:child_process'
import type { Duplex } from 'node:stream'
import type { ChannelListener } from '../channel.ts'
import { FIRST_END_FD, type PortableEnds } from '../channel-ends.ts'
import { HeldSockets } from '../node-internals/held-socket.ts'
import { afterEnd } from '../pipes/after-end.ts'
import { ControlPipe } from '../pipes/control-pipe.ts'
import { MAX_UNSENT_BYTES, type Transport, type WorkerLink } from '../worker-link.ts'
import { PortableAcceptor } from './portable-acceptor.ts'
import { DEFAULT_WINDOW, PortableChannel } from './portable-channel.ts'
import { PortableLoadRow } from './portable-load-row.ts'
import { readLoad, readQuestion } from './portable-protocol.ts'

export class PortableLink implements WorkerLink {
  readonly movesConnections = false
  readonly channel: PortableChannel
  readonly load: PortableLoadRow
  readonly stdio = ['pipe', 'pipe'] as const
  readonly ends: PortableEnds = { kind: 'portable', control: FIRST_END_FD, claims: FIRST_END_FD + 1 }
  control: ControlPipe | undefined
  private readonly listener: ChannelListener
  private claims: Duplex | undefined
  private pipe: Duplex | undefined
  private readySlots: readonly number[] = []
  private keptLimit: number | undefined

  /** `held`: shared with the acceptor. */
  constructor(listener: ChannelListener, held: HeldSockets, window: number = DEFAULT_WINDOW) {
    this.listener = listener
    this.load = new PortableLoadRow(() => this.channel.askTurn())
    this.channel = new PortableChannel(listener, held, this.load, window)
  }

  sendReadySlots(slots: readonly number[]): void {
    this.readySlots = slots
    this.control?.send({ slots })
  }

  sendKeptLimit(count: number | undefined): void {
    if (count === this.keptLimit) return
    this.keptLimit = count
    this.control?.send({ keep: count ?? null })
  }

  /** No memory is shared. */
  countChange(): void {}

  started(child: ChildProcess, onOverflow?: () => void): void {
    const control = child.stdio?.[FIRST_END_FD] as Duplex | null | undefined
    const claims = child.stdio?.[FIRST_END_FD + 1] as Duplex | null | undefined
    if (!control || !claims) return
    this.claims = claims
    this.pipe = control
    this.control = new ControlPipe(control, { maxUnsentBytes: MAX_UNSENT_BYTES, onOverflow })
    this.control.onFrame((frame) => this.onMessage(frame))
    this.channel.started({ child, control: this.control, claims })
    this.control.send({ slots: this.readySlots })
    this.control.send({ keep: this.keptLimit ?? null })
  }

  afterExit(then: () => void): void {
    afterEnd(this.claims, () => afterEnd(this.pipe, then))
  }

  private onMessage(frame: object): boolean {
    const load = readLoad(frame)
    if (load !== undefined) {
      this.load.recordReportedLoad(load)
      return true
    }
    const question = readQuestion(frame)
    if (question === undefined) return false
    if (question === 'fault') this.load.faults++
    else {
      this.listener.onAsked(question)
      this.listener.onBatchEnd()
    }
    return true
  }
}

/** The transport for machines without the native module. */
export function portableTransport(): Transport {
  const held = new HeldSockets()
  return {
    kind: 'portable',
    owners: held.owners,
    passages: undefined,
    openAcceptor: (options) => new PortableAcceptor(options, held),
    openLink: (listener, window) => new PortableLink(listener, held, window),
  }
}
