// Owns the terminal of `balancer top`: raw input, the alternate screen, and their end, however the process ends.

import { writeSync } from 'node:fs'
import type { ReadStream, WriteStream } from 'node:tty'
import { type Key, keysOf } from './keys.ts'
import { type Line, lineText } from './segments.ts'

export interface TerminalOptions {
  readonly input: ReadStream
  readonly output: WriteStream & { readonly fd: number }
  readonly hasColour: boolean
  readonly onKey: (key: Key) => void
  /** The window has another size, or the process runs again after it was suspended. */
  readonly onResize: () => void
  /** The terminal is gone, or a signal ends the process. */
  readonly onEnd: (signal: NodeJS.Signals | undefined) => void
}

/** Alternate screen, no wrapping, no cursor (xterm's private modes). */
const ENTER = '\x1b[?1049h\x1b[?7l\x1b[?25l\x1b[2J'
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[0m\x1b[?1049l'
/** Before the text: at the end of a full line the cursor stands on the last character. */
const ERASE_LINE = '\x1b[2K'
/** A terminal that reads slowly takes nothing for a moment. */
const MAX_TRIES = 1_000
const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

export class Terminal {
  private readonly options: TerminalOptions
  private shown: string[] = []
  private isOpen = false

  constructor(options: TerminalOptions) {
    this.options = options
  }

  get width(): number {
    return this.options.output.columns || 80
  }

  get height(): number {
    return this.options.output.rows || 24
  }

  open(): void {
    const { input, output } = this.options
    input.setEncoding('utf8')
    input.on('data', this.onData)
    input.on('end', this.onGone).on('error', this.onGone)
    output.on('error', this.onGone).on('resize', this.onResize)
    for (const signal of END_SIGNALS) process.on(signal, this.onSignal)
    process.on('SIGCONT', this.onContinue)
    // The last resort, for errors that nothing catches.
    process.on('exit', this.leave)
    this.enter()
  }

  close(): void {
    const { input, output } = this.options
    this.leave()
    input.off('data', this.onData).off('end', this.onGone)
    output.off('resize', this.onResize)
    for (const signal of END_SIGNALS) process.off(signal, this.onSignal)
    process.off('SIGCONT', this.onContinue).off('exit', this.leave)
    input.pause()
  }

  /** Writes the lines that differ from those on the screen. A terminal that reads slowly misses frames, and gets the newest one later. */
  show(lines: readonly Line[]): void {
    const { output, hasColour } = this.options
    if (!this.isOpen || output.writableNeedDrain) return
    const texts = lines.map((line) => lineText(line, this.width, hasColour))
    const changes = texts.map((text, row) => (text === this.shown[row] ? '' : `\x1b[${row + 1};1H${ERASE_LINE}${text}`)).join('')
    this.shown = texts
    if (changes !== '') output.write(changes)
  }

  /** The next frame is written whole. */
  forget(): void {
    this.shown = []
    if (this.isOpen) this.options.output.write('\x1b[2J')
  }

  /** Gives the terminal back to the shell, until the process runs again. */
  suspend(): void {
    this.leave()
    // As the terminal does: every process of the command, such as npx, is stopped.
    process.kill(0, 'SIGTSTP')
  }

  private enter(): void {
    if (this.isOpen) return
    this.isOpen = true
    this.options.input.setRawMode(true)
    this.options.output.write(ENTER)
    this.shown = []
  }

  /** Synchronous: the process may be about to exit. */
  private readonly leave = (): void => {
    if (!this.isOpen) return
    this.isOpen = false
    const { input, output } = this.options
    try {
      input.setRawMode(false)
    } catch {
      // The terminal is gone.
    }
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      try {
        writeSync(output.fd, LEAVE)
        return
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      }
    }
  }

  private readonly onData = (text: string | Buffer): void => {
    for (const key of keysOf(String(text))) this.options.onKey(key)
  }

  private readonly onResize = (): void => {
    this.forget()
    this.options.onResize()
  }

  private readonly onContinue = (): void => {
    this.enter()
    this.options.onResize()
  }

  private readonly onSignal = (signal: NodeJS.Signals): void => this.options.onEnd(signal)

  private readonly onGone = (): void => this.options.onEnd(undefined)
}
