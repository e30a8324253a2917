// A client that writes what a test likes, and reads who answered and what the answer says of its connection.

import { Wire } from './wire.ts'

export interface Asked {
  readonly pid: string
  readonly body: string
  readonly says: string
}

const OK = /\r\n\r\nok$/

export class Client {
  readonly wire: Wire

  constructor(port: number, tls = false) {
    this.wire = new Wire(port, { tls })
  }

  write(bytes: string | Buffer): this {
    this.wire.write(bytes)
    return this
  }

  /** Sends this and resolves with what comes back until it matches. */
  async ask(bytes: string | Buffer, until: RegExp | string = OK): Promise<Asked> {
    this.wire.text = ''
    this.wire.write(bytes)
    return this.answer(until)
  }

  async answer(until: RegExp | string = OK): Promise<Asked> {
    const text = await this.wire.untilText(until)
    return {
      pid: /x-pid: (\d+)/.exec(text)?.[1] ?? '',
      body: text.slice(text.indexOf('\r\n\r\n') + 4),
      says: /\r\nConnection: ([^\r]*)/i.exec(text)?.[1] ?? '',
    }
  }
}

export function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`
}
