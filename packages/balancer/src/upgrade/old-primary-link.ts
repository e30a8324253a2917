// The pipe to the old primary that started this process, as the new primary uses it.

import { Socket } from 'node:net'
import { ControlPipe } from '@switchyard/handoff'
import { BalancerError } from '../errors.ts'
import { messageOf } from '../thrown-error.ts'
import {
  fromWire,
  type NewPrimaryMessage,
  PROTOCOL_VERSION,
  type StartMessage,
  type ToNewPrimary,
  type ToOldPrimary,
  toWire,
} from './messages.ts'

export class OldPrimaryLink {
  readonly startMessage: StartMessage
  /** Resolves when this primary may accept: the old one said so or has exited. Rejects when the old one has cancelled the upgrade. */
  readonly mayAccept: Promise<void>
  /** Resolves when the service manager regards this process as the main one. */
  readonly isMainProcess: Promise<void>
  /** Resolves when the old primary has no workers left. Connections that it has already sent may still arrive. */
  readonly oldPrimaryDrained: Promise<void>
  /** Resolves when the old primary has exited. */
  readonly closed: Promise<void>
  private readonly messages: ReceivedMessages

  private constructor(messages: ReceivedMessages, startMessage: StartMessage) {
    this.messages = messages
    this.startMessage = startMessage
    const { closed } = messages
    this.closed = closed
    const cancelled = messages.next('cancelled').then(() => {
      throw new BalancerError('ERR_UPGRADE_FAILED', 'the old primary has cancelled the upgrade', { source: 'system' })
    })
    this.mayAccept = Promise.race([messages.next('accept'), closed, cancelled]).then(() => {})
    this.mayAccept.catch(() => {})
    this.isMainProcess = Promise.race([messages.next('mainProcess'), closed]).then(() => {})
    this.oldPrimaryDrained = Promise.race([messages.next('drained'), closed]).then(() => {})
  }

  /**
   * Opens the pipe that this process was started with. Throws BalancerError ERR_UPGRADE_FAILED when the two primaries do not understand each
   * other.
   */
  static async connect(fd: number): Promise<OldPrimaryLink> {
    const stream = new Socket({ fd, readable: true, writable: true })
    const messages = new ReceivedMessages(stream)
    const first = await Promise.race([messages.next('start'), messages.closed])
    if (first === undefined) throw new BalancerError('ERR_UPGRADE_FAILED', 'the old primary has exited', { source: 'system' })
    const { startMessage } = first
    const link = new OldPrimaryLink(messages, startMessage)
    // Unsent messages must not keep this process alive.
    stream.unref()
    if (startMessage.version === PROTOCOL_VERSION) return link
    const error = new BalancerError(
      'ERR_UPGRADE_FAILED',
      `an upgrade from that version is not possible (it uses version ${startMessage.version} of the upgrade protocol, this one ${PROTOCOL_VERSION}): stop and start instead`,
      { source: 'system' },
    )
    link.sendFailure(error)
    throw error
  }

  /** Calls the listener with the old primary's state as it arrives. */
  onState(listener: (name: string, entries: readonly unknown[]) => void): void {
    this.messages.onEach('state', ({ name, entries }) => listener(name, entries))
    this.messages.onEach('stateSent', () => this.send({ kind: 'stateReceived' }))
  }

  send(message: ToOldPrimary): void {
    this.messages.pipe.send(toWire(message))
  }

  sendFailure(error: unknown): void {
    this.send({ kind: 'failed', message: messageOf(error) })
  }
}

/** Messages of the old primary. Each kind is awaited once with `next`, or every time with `onEach`. */
class ReceivedMessages {
  readonly pipe: ControlPipe
  readonly closed: Promise<undefined>
  private readonly received = new Map<string, ToNewPrimary>()
  private readonly waiting = new Map<string, (message: ToNewPrimary) => void>()
  private readonly listeners = new Map<string, (message: never) => void>()

  constructor(stream: Socket) {
    this.pipe = new ControlPipe(stream)
    this.closed = new Promise((resolve) => stream.once('close', () => resolve(undefined)))
    this.pipe.onFrame((frame) => {
      const message = fromWire(frame) as ToNewPrimary
      const listener = this.listeners.get(message.kind)
      if (listener !== undefined) {
        listener(message as never)
        return true
      }
      this.received.set(message.kind, message)
      this.waiting.get(message.kind)?.(message)
      return true
    })
  }

  onEach<Kind extends ToNewPrimary['kind']>(kind: Kind, listener: (message: NewPrimaryMessage<Kind>) => void): void {
    this.listeners.set(kind, listener)
  }

  async next<Kind extends ToNewPrimary['kind']>(kind: Kind): Promise<NewPrimaryMessage<Kind>> {
    const message = this.received.get(kind) ?? (await new Promise<ToNewPrimary>((resolve) => this.waiting.set(kind, resolve)))
    return message as NewPrimaryMessage<Kind>
  }
}
