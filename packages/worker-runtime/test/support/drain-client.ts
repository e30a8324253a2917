// A client that writes a test's bytes, and reads from each answer which process sent it and what it says of the connection.

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

  /** Sends the text, and resolves when the received bytes match. */
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
