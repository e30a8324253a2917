// The loop of `balancer top`: statuses, log lines and keys come in, and each changes the screen.

import type { ReadStream, WriteStream } from 'node:tty'
import type { ControlClient } from '../../control/control-client.ts'
import type { ControlStatus } from '../../control/control-protocol.ts'
import { follow } from '../run-operation.ts'
import { History } from './history.ts'
import type { Key } from './keys.ts'
import { LogTail } from './log-tail.ts'
import { rowsOf } from './rows.ts'
import { type ScreenOptions, screen } from './screen.ts'
import type { Style } from './segments.ts'
import { StatusPoll } from './status-poll.ts'
import { Terminal } from './terminal.ts'
import { type Effect, FIRST_VIEW, onKey, type View, type Wanted } from './view.ts'

export interface TopOptions {
  readonly client: ControlClient
  readonly everyMs: number
  readonly input: ReadStream
  readonly output: WriteStream & { readonly fd: number }
  readonly hasColour: boolean
  readonly isUtf8: boolean
}

/** Changes within this time are one frame. */
const FRAME_MS = 50
const CLOCK_MS = 1_000
/** How long the result of an operation is shown. */
const RESULT_MS = 15_000
/** A shell's exit code of a process that a signal has ended. */
const SIGNAL_CODES: Readonly<Partial<Record<NodeJS.Signals, number>>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGQUIT: 131 }

export class Top {
  private readonly options: TopOptions
  private readonly terminal: Terminal
  private readonly poll: StatusPoll
  private readonly logs: LogTail
  private readonly history = new History()
  private view: View = FIRST_VIEW
  private message: ScreenOptions['message']
  private failure: { readonly reason: string; readonly sinceMs: number } | undefined
  private isRunning = false
  private frame: NodeJS.Timeout | undefined
  private clock: NodeJS.Timeout | undefined
  private result: NodeJS.Timeout | undefined
  private end: (exitCode: number) => void = () => {}

  constructor(options: TopOptions) {
    this.options = options
    const { client, everyMs, input, output, hasColour } = options
    this.terminal = new Terminal({
      ...{ input, output, hasColour },
      onKey: (key) => this.onKey(key),
      onResize: () => this.draw(),
      onEnd: (signal) => this.end(signal === undefined ? 0 : (SIGNAL_CODES[signal] ?? 1)),
    })
    this.poll = new StatusPoll({
      ...{ client, everyMs },
      onStatus: (status, nowMs) => this.onStatus(status, nowMs),
      onFailed: (error) => this.onFailed(error),
    })
    this.logs = new LogTail(client, () => this.schedule())
  }

  /** Resolves with the exit code when the user quits. The terminal is as before then, also after an error. */
  async run(): Promise<number> {
    const ended = new Promise<number>((resolve) => {
      this.end = resolve
    })
    try {
      this.terminal.open()
      this.draw()
      this.poll.start()
      this.logs.start()
      this.clock = setInterval(() => this.schedule(), CLOCK_MS)
      return await ended
    } finally {
      for (const timer of [this.frame, this.clock, this.result]) clearTimeout(timer)
      this.poll.stop()
      this.logs.stop()
      this.terminal.close()
    }
  }

  private onStatus(status: ControlStatus, nowMs: number): void {
    this.failure = undefined
    this.history.record(status, nowMs)
    this.schedule()
  }

  private onFailed(error: Error): void {
    const [reason = ''] = error.message.split('\n')
    this.failure = { reason, sinceMs: this.failure?.sinceMs ?? performance.now() }
    this.schedule()
  }

  private onKey(key: Key): void {
    const desired = (pool: string): number => this.history.status?.pools.find(({ name }) => name === pool)?.desired ?? 0
    const { view, effect } = onKey(this.view, key, this.rows, desired)
    this.view = view
    // A result was read by now.
    if (!this.isRunning) this.message = undefined
    if (effect !== undefined) this.perform(effect)
    this.draw()
  }

  private perform(effect: Effect): void {
    if (effect === 'quit') this.end(0)
    else if (effect === 'suspend') this.terminal.suspend()
    else if (effect === 'redraw') this.terminal.forget()
    else void this.operate(effect)
  }

  /** One operation at a time, so that the last line tells its whole story. */
  private async operate({ name, body, what }: Wanted): Promise<void> {
    if (this.isRunning) return this.tell('Another operation of this screen is under way.', 'warn')
    this.isRunning = true
    clearTimeout(this.result)
    this.tell(`${what}…`, 'warn')
    const show = (text: string): void => {
      const line = text.trim()
      if (line !== '') this.tell(`${what}: ${line}`, 'warn')
    }
    try {
      const output = { write: show }
      const io = { stderr: output, stdout: output }
      this.tell(await follow(this.options.client, name, body, {}, io), 'good')
    } catch (error) {
      this.tell(`${what} failed: ${(error as Error).message}`, 'bad')
    }
    this.isRunning = false
    this.result = setTimeout(() => this.tell(undefined), RESULT_MS)
  }

  private tell(text: string | undefined, style?: Style): void {
    this.message = text === undefined ? undefined : { text, style }
    this.schedule()
  }

  private get rows() {
    return rowsOf(this.history, this.view)
  }

  private schedule(): void {
    this.frame ??= setTimeout(() => this.draw(), FRAME_MS)
  }

  private draw(): void {
    clearTimeout(this.frame)
    this.frame = undefined
    const { history, view, message, failure, terminal, logs } = this
    terminal.show(
      screen({
        ...{ history, view, message, rows: this.rows, logs: logs.entries },
        lost: failure && { reason: failure.reason, forMs: performance.now() - failure.sinceMs },
        width: terminal.width,
        height: terminal.height,
        isUtf8: this.options.isUtf8,
        clock: new Date().toTimeString().slice(0, 8),
      }),
    )
  }
}
