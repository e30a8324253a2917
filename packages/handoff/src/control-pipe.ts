// A second pipe between the primary and one worker, for everything but hand-offs: nothing here waits behind a connection that a busy loop has not
// read yet. One JSON text a line, bounded on arrival; what a frame means is checked by whoever it is for.

import type { Duplex } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'

/** A question with the largest head, written out, stays below it. */
export const MAX_FRAME_CHARS = 1 << 20

/** Hears every frame; answers whether it was for this listener. */
export type FrameListener = (frame: object) => boolean

export class ControlPipe {
  /** Frames that were no JSON object, too long, or for nobody. */
  faults = 0
  private readonly stream: Duplex
  private readonly decoder = new StringDecoder('utf8')
  private readonly listeners: FrameListener[] = []
  private text = ''
  private isSkipping = false

  constructor(stream: Duplex) {
    this.stream = stream
    stream.on('data', (bytes: Buffer) => this.take(this.decoder.write(bytes)))
    // Whoever is gone is noticed by the end of its process.
    stream.on('error', () => {})
  }

  onFrame(listener: FrameListener): void {
    this.listeners.push(listener)
  }

  send(frame: object): void {
    if (this.stream.writable) this.stream.write(`${JSON.stringify(frame)}\n`)
  }

  /** Bytes that the other side has not taken yet, and that are not with the system either. */
  get unsent(): number {
    return this.stream.writableLength
  }

  close(): void {
    this.stream.destroy()
  }

  private take(text: string): void {
    const lines = (this.text + text).split('\n')
    this.text = lines.pop() as string
    for (const line of lines) {
      if (!this.isSkipping) this.hear(line)
      this.isSkipping = false
    }
    if (this.text.length <= MAX_FRAME_CHARS) return
    if (!this.isSkipping) this.faults++
    this.isSkipping = true
    this.text = ''
  }

  private hear(line: string): void {
    const frame = line.length > MAX_FRAME_CHARS ? undefined : parse(line)
    if (frame === undefined || !this.listeners.some((listener) => listener(frame))) this.faults++
  }
}

function parse(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
