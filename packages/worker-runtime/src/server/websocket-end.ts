// Ends a websocket of the app: sends a close frame between two frames of the app, and nothing behind it. RFC 6455 §5.5.1 and §7.4.1; 1012
// (Service Restart) is from IANA's registry. The client answers with a close frame, and the app's library closes the websocket as usual.

import type { Socket } from 'node:net'

const TEXT = 1
const BINARY = 2
const CLOSE = 8
const PING = 9
const PONG = 10
const FIN = 0x80
/** No registered extension uses these bits. */
const RESERVED = 0x30
const MASKED = 0x80
const MAX_CONTROL_BYTES = 125

/** Opcode 8 with FIN, two bytes of content, not masked, because a server never masks. */
const CLOSE_FRAME = Buffer.from([0x88, 2, 1012 >> 8, 1012 & 0xff])

/** An app that relays bytes may have written a part of a frame. After this much silence it has not. */
const SILENT_MS = 25
/** Without a frame boundary for this long, the client gets no close frame. */
const FRAME_MS = 1000
/** Time for the client to answer the close frame, and again to close. */
const ANSWER_MS = 2000

/** A chunk that an app writes: whole frames (the last perhaps without its content), whole frames with a close frame, or anything else. */
export type Chunk = 'frames' | 'close' | 'part'

/** Begins to end a websocket, unless it ends already. If the client does not close it in time, the socket is half-closed, then destroyed. */
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
    this.timer = this.after(SILENT_MS, this.poll)
    socket.once('close', () => clearTimeout(this.timer))
  }

  /** Replaces `write()` until the close frame is sent. */
  private readonly writeFrames = (chunk: unknown, ...rest: unknown[]): boolean => {
    const found = chunk instanceof Uint8Array ? classify(chunk) : 'part'
    // This chunk begins a frame, so the frame before it is complete.
    if (found === 'frames') {
      this.sendClose()
      return writeNothing(chunk, ...rest)
    }
    // The app closes the websocket itself.
    if (found === 'close') this.restore()
    return Reflect.apply(this.write, this.socket, [chunk, ...rest])
  }

  private readonly poll = (): void => {
    const { socket } = this
    if (!socket.writable) return
    if (socket.bytesWritten === this.written) return this.sendClose()
    this.written = socket.bytesWritten
    this.waitedMs += SILENT_MS
    if (this.waitedMs >= FRAME_MS) this.end()
    else this.timer = this.after(SILENT_MS, this.poll)
  }

  private sendClose(): void {
    clearTimeout(this.timer)
    Reflect.apply(this.write, this.socket, [CLOSE_FRAME])
    // A client fails a connection with bytes behind a close frame, even the app's answer to the client's own close frame.
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

/** A `write()` that discards everything. */
function writeNothing(_chunk: unknown, ...rest: unknown[]): boolean {
  const done = rest.find((value): value is () => void => typeof value === 'function')
  if (done !== undefined) process.nextTick(done)
  return true
}

/** A fragment counts as `part`: a continuation frame begins with zero bits, and so does the content of many frames. */
export function classify(chunk: Uint8Array): Chunk {
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
    // Many libraries write the head and the content one after the other.
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
