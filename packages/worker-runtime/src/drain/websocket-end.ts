// Ends a websocket that belongs to the app: a close frame between two frames of the app, and nothing behind it. RFC 6455 §5.5.1 and §7.4.1; 1012
// (Service Restart) is from IANA's registry. Its client answers with a close frame of its own, which the app's library takes for the end that it is.

import type { Socket } from 'node:net'

const TEXT = 1
const BINARY = 2
const CLOSE = 8
const PING = 9
const PONG = 10
const FIN = 0x80
/** No extension gives these a meaning. */
const RESERVED = 0x30
const MASKED = 0x80
const MAX_CONTROL_BYTES = 125

/** Opcode 8 with FIN, two bytes, not masked: a server never masks. */
const CLOSE_FRAME = Buffer.from([0x88, 2, 1012 >> 8, 1012 & 0xff])

/** An app that passes on what others write may have written a part of a frame; after such a silence it has not. */
const SILENT_MS = 25
/** No frame began or ended for so long: its client has to do without a close frame. */
const FRAME_MS = 1000
/** To answer the close frame and to close. */
const ANSWER_MS = 2000

/** What a chunk that an app writes is to a websocket: whole frames (the last perhaps without its content), one of them a close frame, or something else. */
export type Chunk = 'frames' | 'close' | 'part'

/** Begins to end it, unless it ends already. A client that does not close it in time finds that our direction has ended, and at last that it is gone. */
export function endWebSocket(socket: Socket): void {
  if (socket.writable) new WebSocketEnd(socket)
}

class WebSocketEnd {
  private readonly socket: Socket
  private readonly write: Socket['write']
  private timer: NodeJS.Timeout
  private written: number
  private waitedMs = 0

  constructor(socket: Socket) {
    this.socket = socket
    this.write = socket.write
    this.written = socket.bytesWritten
    socket.write = this.writeFrames as Socket['write']
    this.timer = this.after(SILENT_MS, this.look)
    socket.once('close', () => clearTimeout(this.timer))
  }

  /** Stands in for `write()` until the close frame is out. */
  private readonly writeFrames = (chunk: unknown, ...rest: unknown[]): boolean => {
    const found = chunk instanceof Uint8Array ? judge(chunk) : 'part'
    // What comes now begins a frame, so the one before it is over.
    if (found === 'frames') {
      this.say()
      return writeNothing(chunk, ...rest)
    }
    // The app closes by itself.
    if (found === 'close') this.restore()
    return Reflect.apply(this.write, this.socket, [chunk, ...rest])
  }

  private readonly look = (): void => {
    const { socket } = this
    if (!socket.writable) return
    if (socket.bytesWritten === this.written) return this.say()
    this.written = socket.bytesWritten
    this.waitedMs += SILENT_MS
    if (this.waitedMs >= FRAME_MS) this.end()
    else this.timer = this.after(SILENT_MS, this.look)
  }

  private say(): void {
    clearTimeout(this.timer)
    Reflect.apply(this.write, this.socket, [CLOSE_FRAME])
    // A client fails a connection on which something comes behind a close frame, the app's answer to its own close frame among it.
    this.socket.write = writeNothing as Socket['write']
    this.timer = this.after(ANSWER_MS, this.end)
  }

  private restore(): void {
    clearTimeout(this.timer)
    this.socket.write = this.write
    this.timer = this.after(ANSWER_MS, this.end)
  }

  private readonly end = (): void => {
    this.socket.end()
    this.timer = this.after(ANSWER_MS, () => this.socket.destroy())
  }

  private after(ms: number, then: () => void): NodeJS.Timeout {
    return setTimeout(then, ms).unref()
  }
}

/** `write()` of a stream that takes everything and keeps nothing. */
function writeNothing(_chunk: unknown, ...rest: unknown[]): boolean {
  const done = rest.find((value): value is () => void => typeof value === 'function')
  if (done !== undefined) process.nextTick(done)
  return true
}

/** Fragments are something else here: what goes on in the middle of a message looks like zeros, and so does the content of many a frame. */
export function judge(chunk: Uint8Array): Chunk {
  let closes = false
  if (chunk.length === 0) return 'part'
  for (let at = 0; at < chunk.length; ) {
    const first = chunk[at] as number
    const second = chunk[at + 1] ?? MASKED
    const opcode = first & 0x0f
    const isControl = opcode === CLOSE || opcode === PING || opcode === PONG
    if ((first & FIN) === 0 || (first & RESERVED) !== 0 || (second & MASKED) !== 0) return 'part'
    if (!isControl && opcode !== TEXT && opcode !== BINARY) return 'part'
    if (isControl && second > MAX_CONTROL_BYTES) return 'part'
    closes ||= opcode === CLOSE
    const extra = second === 127 ? 8 : second === 126 ? 2 : 0
    const content = at + 2 + extra
    // Many write the head and the content one after the other.
    if (content === chunk.length) break
    if (content > chunk.length) return 'part'
    at = content + lengthOf(chunk, at + 2, extra, second)
    if (at > chunk.length) return 'part'
  }
  return closes ? 'close' : 'frames'
}

function lengthOf(chunk: Uint8Array, at: number, extra: number, short: number): number {
  if (extra === 0) return short
  let length = 0
  for (let index = at; index < at + extra; index++) length = length * 256 + (chunk[index] as number)
  return length
}
