// A pipe between the primary and one worker for everything but hand-offs, so that no message waits behind a connection that a busy loop has
// not read. A frame is one JSON object on one line. Its length is bounded on arrival; each listener checks the frames that it accepts.

import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { LineReader } from './line-reader.ts'
import { readFairly } from './read-fairly.ts'

/** A question with the largest head, escaped, is shorter. */
export const MAX_FRAME_CHARS = 1 << 20

/** Called with every frame. Returns whether it accepts the frame. */
export type FrameListener = (frame: object) => boolean

export interface ControlPipeOptions {
  /** Bytes that the other side may leave unread; beyond it the pipe is closed. Default: no bound, and the sender checks `unsent`. */
  readonly maxUnsentBytes?: number | undefined
  /** Called once, when the other side has left too much unread. */
  readonly onOverflow?: (() => void) | undefined
}

export class ControlPipe {
  /** Frames that were no JSON object, too long, or accepted by no listener. */
  faults = 0
  private readonly stream: Duplex
  private readonly options: ControlPipeOptions
  private readonly listeners: FrameListener[] = []

  constructor(stream: Duplex, options: ControlPipeOptions = {}) {
    this.stream = stream
    this.options = options
    const decoder = new StringDecoder('utf8')
    const lines = new LineReader({ maxChars: MAX_FRAME_CHARS, onLine: (line) => this.onLine(line), onTooLong: () => this.faults++ })
    readFairly(stream, (bytes) => lines.read(decoder.write(bytes)))
    // The exit of the other process is noticed elsewhere.
    stream.on('error', () => {})
  }

  onFrame(listener: FrameListener): void {
    this.listeners.push(listener)
  }

  send(frame: object): void {
    const { maxUnsentBytes = Number.POSITIVE_INFINITY, onOverflow } = this.options
    if (!this.stream.writable) return
    this.stream.write(`${JSON.stringify(frame)}\n`)
    if (this.stream.writableLength <= maxUnsentBytes) return
    this.stream.destroy()
    onOverflow?.()
  }

  /** Bytes that the kernel has not taken yet. */
  get unsent(): number {
    return this.stream.writableLength
  }

  close(): void {
    this.stream.destroy()
  }

  private onLine(line: string): void {
    const frame = parse(line)
    if (frame === undefined || !this.listeners.some((listener) => listener(frame))) this.faults++
  }
}

/** Opens a worker's end by its descriptor. It keeps no process alive. */
export function controlPipeOf(fd: number): ControlPipe {
  return new ControlPipe(new Socket({ fd, readable: true, writable: true }).unref())
}

function parse(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
