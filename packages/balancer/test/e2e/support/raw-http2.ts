// A client of HTTP/2 that sends any frames, valid or not, and says what came back.

import { connect, type Socket } from 'node:net'
import { atSuiteEnd } from '../../../../../test/suite.ts'
import { until } from '../../../../../test/support/until.ts'

const NOTHING: Buffer = Buffer.alloc(0)
const HEAD_BYTES = 9

export const types = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, push: 5, ping: 6, goaway: 7, window: 8, continuation: 9 }
export const END_STREAM = 1
export const ACK = 1
export const END_HEADERS = 4

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly content: Buffer
}

export function frame(type: number, flags: number, stream: number, content: Buffer = NOTHING): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUIntBE(content.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, content])
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function setting(id: number, value: number): Buffer {
  return frame(types.settings, 0, 0, Buffer.concat([Buffer.of(0, id), uint32(value)]))
}

/** Fields as HPACK literals without indexing (RFC 7541 §6.2.2). Names and values are shorter than 127 bytes. */
export function fields(...all: (readonly [name: string, value: string])[]): Buffer {
  const text = (value: string): Buffer => Buffer.concat([Buffer.of(value.length), Buffer.from(value, 'latin1')])
  return Buffer.concat(all.map(([name, value]) => Buffer.concat([Buffer.of(0), text(name), text(value)])))
}

/** The usual pseudo-header fields. `more` follows them. */
export function request(path: string, method = 'GET', more: Buffer = NOTHING): Buffer {
  return Buffer.concat([fields([':method', method], [':scheme', 'http'], [':path', path], [':authority', 'a']), more])
}

const CHECK = Buffer.from('is alive')

export class RawHttp2 {
  readonly socket: Socket
  readonly frames: Frame[] = []
  /** Has the server ended the connection? */
  hasEnded = false
  private rest: Buffer = NOTHING

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.on('error', () => {})
    this.socket.on('data', (bytes) => this.read(bytes))
    for (const event of ['end', 'close'])
      this.socket.on(event, () => {
        this.hasEnded = true
      })
    atSuiteEnd(() => this.socket.destroy())
  }

  /** The preface and empty settings. */
  begin(): this {
    return this.send(PREFACE, frame(types.settings, 0, 0))
  }

  send(...parts: Buffer[]): this {
    this.socket.write(Buffer.concat(parts))
    return this
  }

  /**
   * The codes and streams of the frames that end something, and the answers. `end`: there was a GOAWAY or an end; Node leaves some connections open behind a
   * GOAWAY.
   */
  async outcome(isAnswered: boolean): Promise<string> {
    this.send(frame(types.ping, 0, 0, CHECK))
    const hasPong = (): boolean =>
      this.frames.some(({ type, flags, content }) => type === types.ping && flags === ACK && content.equals(CHECK))
    const hasAnswer = (): boolean =>
      this.frames.some(({ type, flags, stream }) => stream === 1 && (type === types.reset || (flags & END_STREAM) !== 0))
    const isOver = (): boolean => this.hasEnded || this.frames.some(({ type }) => type === types.goaway)
    await until(() => isOver() || (hasPong() && (!isAnswered || hasAnswer())), 10_000, 'an outcome')
    const said = this.frames.flatMap(({ type, stream, content }) => {
      if (type === types.goaway) return [`GOAWAY ${nameOf(content.readUInt32BE(4))}`]
      if (type === types.reset) return [`${stream}: ${nameOf(content.readUInt32BE(0))}`]
      return type === types.headers ? [`${stream}: ${STATUS[content[0] as number] ?? 'an answer'}`] : []
    })
    this.socket.destroy()
    return [...new Set(said), isOver() ? 'end' : 'open'].join(', ')
  }

  private read(bytes: Buffer): void {
    let all = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes])
    while (all.length >= HEAD_BYTES && all.length >= HEAD_BYTES + all.readUIntBE(0, 3)) {
      const end = HEAD_BYTES + all.readUIntBE(0, 3)
      this.frames.push({
        type: all[3] as number,
        flags: all[4] as number,
        stream: all.readUInt32BE(5),
        content: all.subarray(HEAD_BYTES, end),
      })
      all = all.subarray(end)
    }
    this.rest = all
  }
}

/** Indexed fields of the static table (RFC 7541, appendix A). */
const STATUS: Readonly<Record<number, number>> = { 136: 200, 140: 400, 141: 404 }

/** By their numbers (RFC 9113 §7). */
const CODES = [
  ...['NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT', 'STREAM_CLOSED', 'FRAME_SIZE_ERROR'],
  ...['REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR', 'CONNECT_ERROR', 'ENHANCE_YOUR_CALM', 'INADEQUATE_SECURITY', 'HTTP_1_1_REQUIRED'],
]

function nameOf(code: number): string {
  return CODES[code] ?? String(code)
}
