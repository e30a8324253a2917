// The old primary that has started this one, as this one talks to it.

import { Socket } from 'node:net'
import { ControlPipe } from '@switchyard/handoff'
import { BalancerError } from '../errors.ts'
import { type OldPrimaryMessages, PROTOCOL_VERSION, type StartMessage, type ToNewPrimary, type ToOldPrimary } from './messages.ts'

export class OldPrimaryLink {
  readonly startMessage: StartMessage
  /** Resolves when this primary may accept: it was told so, or the old one has died. Rejects when the old one has given it up. */
  readonly go: Promise<void>
  /** Resolves when this is the main process to whoever supervises it. */
  readonly recognised: Promise<void>
  /** Resolves when the old one passes no connections any more, but for those that are with it now. */
  readonly leaving: Promise<void>
  /** Resolves when the old one is gone. */
  readonly left: Promise<void>
  private readonly pipe: ControlPipe
  private readonly hears: Hearing

  private constructor(stream: Socket, pipe: ControlPipe, hears: Hearing, startMessage: StartMessage) {
    this.pipe = pipe
    this.hears = hears
    this.startMessage = startMessage
    this.left = hears.end
    const abandoned = hears.of('abandoned').then(() => {
      throw new BalancerError('ERR_UPGRADE_FAILED', 'the primary that started this one has given it up', { source: 'system' })
    })
    this.go = Promise.race([hears.of('go'), hears.end, abandoned]).then(() => {})
    this.go.catch(() => {})
    this.recognised = Promise.race([hears.of('yours'), hears.end]).then(() => {})
    this.leaving = Promise.race([hears.of('leaving'), hears.end]).then(() => {})
    // What is left to say does not keep this process alive.
    stream.unref()
  }

  /** Over the pipe that this process was started with. Throws BalancerError ERR_UPGRADE_FAILED when it makes no sense. */
  static async meet(fd: number): Promise<OldPrimaryLink> {
    const stream = new Socket({ fd, readable: true, writable: true })
    const pipe = new ControlPipe(stream)
    const hears = new Hearing(stream, pipe)
    const first = await Promise.race([hears.of('bequest'), hears.end])
    if (first === undefined)
      throw new BalancerError('ERR_UPGRADE_FAILED', 'the primary that started this one is gone', { source: 'system' })
    const { bequest: startMessage } = first
    const oldPrimaryLink = new OldPrimaryLink(stream, pipe, hears, startMessage)
    if (startMessage.version === PROTOCOL_VERSION) return oldPrimaryLink
    const error = new BalancerError(
      'ERR_UPGRADE_FAILED',
      `an upgrade from that version is not possible (it speaks version ${startMessage.version} of the protocol, this one ${PROTOCOL_VERSION}): stop and start instead`,
      { source: 'system' },
    )
    oldPrimaryLink.fail(error)
    throw error
  }

  /** Gives `listener` what the old primary has in its memory, as it comes. */
  onTransfer(listener: (name: string, entries: readonly unknown[]) => void): void {
    this.hears.every('heirloom', ({ name, entries }) => listener(name, entries))
    this.hears.every('copied', () => this.say({ talk: 'taken' }))
  }

  /** The config is read; the workers may take so long. */
  starts(timeoutMs: number): void {
    this.say({ talk: 'starting', timeoutMs })
  }

  /** See `PredecessorTalk`. */
  tell<Kind extends 'ready' | 'serving' | 'settled' | 'closed' | 'heirloom'>(message: OldPrimaryMessages[Kind]): void {
    this.say(message)
  }

  fail(error: unknown): void {
    this.say({ talk: 'failed', message: error instanceof Error ? error.message : String(error) })
  }

  private say(message: ToOldPrimary): void {
    this.pipe.send(message)
  }
}

/** What comes over the pipe, each kind once but for those that `every` is called for. */
class Hearing {
  /** Resolves when nothing more comes. */
  readonly end: Promise<undefined>
  private readonly heard = new Map<string, ToNewPrimary>()
  private readonly waiting = new Map<string, (message: ToNewPrimary) => void>()
  private readonly listeners = new Map<string, (message: never) => void>()

  constructor(stream: Socket, pipe: ControlPipe) {
    this.end = new Promise((resolve) => stream.once('close', () => resolve(undefined)))
    pipe.onFrame((frame) => {
      const message = frame as ToNewPrimary
      const listener = this.listeners.get(message.talk)
      if (listener !== undefined) {
        listener(message as never)
        return true
      }
      this.heard.set(message.talk, message)
      this.waiting.get(message.talk)?.(message)
      return true
    })
  }

  /** Calls back with every message of that kind from now on. */
  every<Kind extends ToNewPrimary['talk']>(kind: Kind, listener: (message: Extract<ToNewPrimary, { talk: Kind }>) => void): void {
    this.listeners.set(kind, listener)
  }

  async of<Kind extends ToNewPrimary['talk']>(kind: Kind): Promise<Extract<ToNewPrimary, { talk: Kind }>> {
    const message = this.heard.get(kind) ?? (await new Promise<ToNewPrimary>((resolve) => this.waiting.set(kind, resolve)))
    return message as Extract<ToNewPrimary, { talk: Kind }>
  }
}
