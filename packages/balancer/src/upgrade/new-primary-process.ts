// The process of the new primary, as the old primary starts it and exchanges messages with it.

import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { ControlPipe } from '@switchyard/handoff'
import type { TransferredSocket } from '../listeners/inherited-sockets.ts'
import { batchesOf, type StateTransfer } from '../state-transfer.ts'
import type { OldPrimaryMessage, StartMessage, ToNewPrimary, ToOldPrimary } from './messages.ts'
import { fromWire, toWire, UPGRADE_VARIABLE } from './messages.ts'
import type { RestartCommand } from './restart-command.ts'

/** Descriptors of the new process after stdin, stdout and stderr, which both processes share. */
const PIPE_FD = 3
const PASSAGE_FD = 4
const FIRST_SOCKET_FD = 5
/** After the exit its last message may still be in the pipe for this long. */
const LAST_MESSAGE_MS = 500
/** A cancelled new primary gets SIGTERM, then SIGKILL, after this time. */
const TERM_MS = 5000
const KILL_MS = 10_000
/** Copying pauses while the pipe holds more bytes than this. */
const MAX_UNSENT_BYTES = 1 << 20
const POLL_MS = 2

export interface NewPrimaryProcessOptions {
  readonly command: RestartCommand
  readonly env: NodeJS.ProcessEnv
  readonly startMessage: Omit<StartMessage, 'sockets' | 'passage'>
  /** Listening sockets, by their descriptors in this process. */
  readonly sockets: readonly TransferredSocket[]
  /** Descriptor of the new primary's end of the passage. */
  readonly passage: number | undefined
}

type Kind = ToOldPrimary['kind']

interface Awaited {
  readonly kind: Kind
  readonly resolve: (message: ToOldPrimary) => void
  readonly reject: (error: Error) => void
}

export class NewPrimaryProcess {
  private readonly child: ChildProcess
  /** undefined: the process could not be created. */
  private readonly stream: Duplex | undefined
  private readonly pipe: ControlPipe | undefined
  private readonly received: ToOldPrimary[] = []
  private readonly exited: Promise<void>
  private awaited: Awaited | undefined
  private answerListener: (name: string, entries: readonly unknown[]) => void = () => {}
  /** The first failure. Everything awaited after it rejects with it. */
  private failure: Error | undefined

  /** Starts the process. `untilReady` reports a failed start. */
  constructor({ command, env, startMessage, sockets, passage }: NewPrimaryProcessOptions) {
    const { file, args, cwd } = command
    this.child = spawn(file, [...args], {
      cwd,
      env: { ...env, [UPGRADE_VARIABLE]: String(PIPE_FD) },
      stdio: ['inherit', 'inherit', 'inherit', 'pipe', passage ?? 'ignore', ...sockets.map(({ fd }) => fd)],
    })
    // Without a free descriptor there are no pipes and no process; an 'error' event follows.
    this.stream = (this.child.stdio as ChildProcess['stdio'] | undefined)?.[PIPE_FD] as Duplex | undefined
    this.pipe = this.stream && new ControlPipe(this.stream)
    this.pipe?.onFrame((frame) => this.onMessage(fromWire(frame) as ToOldPrimary))
    this.exited = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        // A new primary that ends by itself sends the reason first.
        const failed = () => this.fail(new Error(signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`))
        const timer = setTimeout(failed, LAST_MESSAGE_MS)
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
    this.send({
      kind: 'start',
      startMessage: {
        ...startMessage,
        passage: passage === undefined ? undefined : PASSAGE_FD,
        sockets: sockets.map((socket, index) => ({ ...socket, fd: FIRST_SOCKET_FD + index })),
      },
    })
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** Resolves when it could accept. Rejects when it exits or takes too long; `timeoutMs` bounds the time until it has read its config. */
  async untilReady(timeoutMs: number): Promise<OldPrimaryMessage<'ready'>> {
    const starting = await this.next('starting', timeoutMs)
    return this.next('ready', starting.timeoutMs)
  }

  /**
   * Copies the state, no faster than the new primary reads it. Resolves when it has all of it. Rejects as `untilReady`; `timeoutMs` bounds the
   * last step.
   */
  async copyState(transfers: readonly StateTransfer[], timeoutMs: number): Promise<void> {
    if (transfers.length === 0) return
    for (const transfer of transfers) {
      for (const batch of batchesOf(transfer.entries())) {
        if (this.failure !== undefined) throw this.failure
        this.sendState(transfer.name, batch)
        while (this.failure === undefined && (this.pipe?.unsent ?? 0) > MAX_UNSENT_BYTES) await pause(POLL_MS)
      }
    }
    this.send({ kind: 'stateSent' })
    await this.next('stateReceived', timeoutMs)
  }

  /** Sends entries of a StateTransfer. */
  sendState(name: string, entries: readonly object[]): void {
    this.send({ kind: 'state', name, entries })
  }

  /** Calls the listener with each answer to an entry. */
  onAnswer(listener: (name: string, entries: readonly unknown[]) => void): void {
    this.answerListener = listener
  }

  /** Lets it accept connections. Resolves when it does. Rejects as `untilReady`. */
  accept(timeoutMs: number): Promise<OldPrimaryMessage<'serving'>> {
    this.send({ kind: 'accept' })
    return this.next('serving', timeoutMs)
  }

  /** Resolves when the control socket and the like are taken over too. Rejects as `untilReady`. */
  async untilSettled(timeoutMs: number): Promise<void> {
    await this.next('settled', timeoutMs)
  }

  /** Makes it the main process, which outlives this one. */
  becomeMainProcess(): void {
    this.send({ kind: 'mainProcess' })
    this.child.unref()
  }

  /** Ends passing in both directions. Resolves when it passes no more connections. Rejects when it does not answer. */
  async endPassing(timeoutMs: number): Promise<void> {
    this.send({ kind: 'drained' })
    await this.next('closed', timeoutMs)
  }

  /** Whatever is awaited rejects. */
  cancel(reason: string): void {
    this.fail(new Error(reason))
  }

  /** Ends the process, which removes its files if it still can. Resolves when it has exited. */
  async stop(): Promise<void> {
    this.send({ kind: 'cancelled' })
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

  /** Resolves with the message of this kind, which may have arrived already. */
  private next<K extends Kind>(kind: K, timeoutMs: number): Promise<OldPrimaryMessage<K>> {
    return new Promise<ToOldPrimary>((resolve, reject) => {
      const timer = setTimeout(() => this.awaited?.reject(new Error(`it did not report '${kind}' within ${timeoutMs} ms`)), timeoutMs)
      const once = <T>(settle: (value: T) => void) => {
        return (value: T) => {
          clearTimeout(timer)
          this.awaited = undefined
          settle(value)
        }
      }
      this.awaited = { kind, resolve: once(resolve), reject: once(reject) }
      const message = this.received.find((one) => one.kind === kind)
      if (message !== undefined) this.awaited.resolve(message)
      else if (this.failure !== undefined) this.awaited.reject(this.failure)
    }) as Promise<OldPrimaryMessage<K>>
  }

  private onMessage(message: ToOldPrimary): boolean {
    if (message.kind === 'failed') this.fail(new Error(message.message))
    else if (message.kind === 'state') this.answerListener(message.name, message.entries)
    else {
      this.received.push(message)
      if (this.awaited?.kind === message.kind) this.awaited.resolve(message)
    }
    return true
  }

  private fail(error: Error): void {
    this.failure ??= error
    this.awaited?.reject(this.failure)
  }

  private send(message: ToNewPrimary): void {
    this.pipe?.send(toWire(message))
  }
}
