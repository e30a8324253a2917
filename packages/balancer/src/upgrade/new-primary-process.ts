// The new primary that this one has started, as this one talks to it.

import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { ControlPipe } from '@switchyard/handoff'
import { type OldPrimaryMessages, type StartMessage, type ToNewPrimary, type ToOldPrimary, UPGRADE_VARIABLE } from './messages.ts'
import type { OwnCommand } from './restart-command.ts'
import { portionsOf, type StateTransfer } from './state-transfer.ts'

/** Behind stdin, stdout and stderr, which it shares with this process. */
const TALK_FD = 3
const PASSAGE_FD = 4
const FIRST_SOCKET_FD = 5
/** What it said last may still be in the pipe when its process has ended. */
const LAST_WORDS_MS = 500
/** How long one that is abandoned may take to end, until it is told so by a signal, and until it is killed. */
const TERM_MS = 5000
const KILL_MS = 10_000
/** Bytes that wait for a successor to read them. */
const MOST_UNSENT = 1 << 20
const POLL_MS = 2

/** A listening socket of this process; the successor has it under another number. */
export type OwnSocket = StartMessage['sockets'][number]

export interface NewPrimaryProcessOptions {
  readonly command: OwnCommand
  readonly env: NodeJS.ProcessEnv
  readonly startMessage: Omit<StartMessage, 'sockets' | 'passage'>
  readonly sockets: readonly OwnSocket[]
  /** Descriptor of its end of the passage. */
  readonly passage: number | undefined
}

type Kind = keyof OldPrimaryMessages

interface Awaited {
  readonly kind: Kind
  readonly resolve: (message: ToOldPrimary) => void
  readonly reject: (error: Error) => void
}

export class NewPrimaryProcess {
  private readonly child: ChildProcess
  /** undefined: the process could not be made. */
  private readonly stream: Duplex | undefined
  private readonly pipe: ControlPipe | undefined
  private readonly heard: ToOldPrimary[] = []
  private readonly exited: Promise<void>
  private awaited: Awaited | undefined
  private answered: (name: string, entries: readonly unknown[]) => void = () => {}
  /** Why nothing more is to be hoped for. */
  private failure: Error | undefined

  /** Starts it. What goes wrong is told by `ready`. */
  constructor({ command, env, startMessage, sockets, passage }: NewPrimaryProcessOptions) {
    const { file, args, cwd } = command
    this.child = spawn(file, [...args], {
      cwd,
      env: { ...env, [UPGRADE_VARIABLE]: String(TALK_FD) },
      stdio: ['inherit', 'inherit', 'inherit', 'pipe', passage ?? 'ignore', ...sockets.map(({ fd }) => fd)],
    })
    // Without a descriptor left there are no pipes and no process; the error comes as an event.
    this.stream = (this.child.stdio as ChildProcess['stdio'] | undefined)?.[TALK_FD] as Duplex | undefined
    this.pipe = this.stream && new ControlPipe(this.stream)
    this.pipe?.onFrame((frame) => this.hear(frame as ToOldPrimary))
    this.exited = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        // Of its own accord it tells why, and then ends.
        const failed = () => this.fail(new Error(signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`))
        const timer = setTimeout(failed, LAST_WORDS_MS)
        this.stream?.once('close', () => {
          clearTimeout(timer)
          failed()
        })
        resolve()
      })
      this.child.once('error', (error) => {
        this.fail(error)
        if (this.child.pid === undefined) resolve()
      })
    })
    this.say({
      talk: 'bequest',
      bequest: {
        ...startMessage,
        passage: passage === undefined ? undefined : PASSAGE_FD,
        sockets: sockets.map((socket, index) => ({ ...socket, fd: FIRST_SOCKET_FD + index })),
      },
    })
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** Resolves when it could accept. Rejects when it dies, or takes too long; `timeoutMs`: until it has read its config. */
  async ready(timeoutMs: number): Promise<OldPrimaryMessages['ready']> {
    const starting = await this.wait('starting', timeoutMs)
    return this.wait('ready', starting.timeoutMs)
  }

  /** Tells it all that this primary has in its memory, no faster than it takes it. Resolves when it has it. Rejects as `ready`; `timeoutMs`: for the last of it. */
  async bequeath(transfers: readonly StateTransfer[], timeoutMs: number): Promise<void> {
    if (transfers.length === 0) return
    for (const transfer of transfers) {
      for (const portion of portionsOf(transfer.entries())) {
        if (this.failure !== undefined) throw this.failure
        this.pass(transfer.name, portion)
        while (this.failure === undefined && (this.pipe?.unsent ?? 0) > MOST_UNSENT) await pause(POLL_MS)
      }
    }
    this.say({ talk: 'copied' })
    await this.wait('taken', timeoutMs)
  }

  /** Tells it what has changed in the memory of this primary, or what its workers ask. */
  pass(name: string, entries: readonly object[]): void {
    this.say({ talk: 'heirloom', name, entries })
  }

  /** Gives `listener` what it answers. */
  onAnswer(listener: (name: string, entries: readonly unknown[]) => void): void {
    this.answered = listener
  }

  /** Lets it accept; resolves when it does. Rejects as `ready`. */
  admit(timeoutMs: number): Promise<OldPrimaryMessages['serving']> {
    this.say({ talk: 'go' })
    return this.wait('serving', timeoutMs)
  }

  /** Resolves when it has taken over all that goes with it. Rejects as `ready`. */
  async settled(timeoutMs: number): Promise<void> {
    await this.wait('settled', timeoutMs)
  }

  /** It is the main process now. */
  recognise(): void {
    this.say({ talk: 'yours' })
    this.child.unref()
  }

  /** Resolves when it passes no connections any more. Rejects when it does not say so, or is gone. */
  async part(timeoutMs: number): Promise<void> {
    this.say({ talk: 'leaving' })
    await this.wait('closed', timeoutMs)
  }

  /** Whatever is waited for will not be. */
  cancel(why: string): void {
    this.fail(new Error(why))
  }

  /** Ends it; resolves when it is gone. It clears up behind itself, if it still can. */
  async abandon(): Promise<void> {
    this.say({ talk: 'abandoned' })
    const term = setTimeout(() => this.child.kill('SIGTERM'), TERM_MS)
    const kill = setTimeout(() => this.child.kill('SIGKILL'), KILL_MS)
    await this.exited
    clearTimeout(term)
    clearTimeout(kill)
    this.close()
  }

  close(): void {
    this.stream?.destroy()
    this.child.unref()
  }

  private wait<K extends Kind>(kind: K, timeoutMs: number): Promise<OldPrimaryMessages[K]> {
    return new Promise<ToOldPrimary>((resolve, reject) => {
      const timer = setTimeout(() => this.awaited?.reject(new Error(`it was not '${kind}' within ${timeoutMs} ms`)), timeoutMs)
      const claimPoller = <T>(settle: (value: T) => void) => {
        return (value: T) => {
          clearTimeout(timer)
          this.awaited = undefined
          settle(value)
        }
      }
      this.awaited = { kind, resolve: claimPoller(resolve), reject: claimPoller(reject) }
      const said = this.heard.find(({ talk }) => talk === kind)
      if (said !== undefined) this.awaited.resolve(said)
      else if (this.failure !== undefined) this.awaited.reject(this.failure)
    }) as Promise<OldPrimaryMessages[K]>
  }

  private hear(message: ToOldPrimary): boolean {
    if (message.talk === 'failed') this.fail(new Error(message.message))
    else if (message.talk === 'heirloom') this.answered(message.name, message.entries)
    else {
      this.heard.push(message)
      if (this.awaited?.kind === message.talk) this.awaited.resolve(message)
    }
    return true
  }

  /** The first failure counts: later ones follow from it. */
  private fail(error: Error): void {
    this.failure ??= error
    this.awaited?.reject(this.failure)
  }

  private say(message: ToNewPrimary): void {
    this.pipe?.send(message)
  }
}
