// A DNS server of a test's own: answers questions for addresses by a table, over UDP (RFC 1035).

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { atSuiteEnd } from '../suite.ts'

export interface DnsRecord {
  /** IPv4 alone. */
  readonly addresses: readonly string[]
  readonly ttlS: number
}

const HEADER_BYTES = 12
const TYPE_A = 1
const RESPONSE = 0x8180
const NO_SUCH_NAME = 3
const SERVER_FAILURE = 2

export class DnsServer {
  /** By name. */
  readonly records = new Map<string, DnsRecord>()
  /** Names that were asked for, with repetitions. */
  readonly questions: string[] = []
  /** Every question is answered with a failure. */
  isFailing = false
  private readonly socket: Socket

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('message', (question, from) => this.answer(question, from))
  }

  /** On a free port of 127.0.0.1, until the suite ends. */
  static async start(): Promise<DnsServer> {
    const socket = createSocket('udp4')
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    atSuiteEnd(() => void socket.close())
    return new DnsServer(socket)
  }

  get address(): string {
    return `127.0.0.1:${this.socket.address().port}`
  }

  private answer(question: Buffer, from: RemoteInfo): void {
    const labels: string[] = []
    let at = HEADER_BYTES
    while (question[at]) {
      const length = question[at] as number
      labels.push(question.toString('latin1', at + 1, at + 1 + length))
      at += 1 + length
    }
    const name = labels.join('.').toLowerCase()
    const type = question.readUInt16BE(at + 1)
    const end = at + 5
    this.questions.push(name)
    const record = this.records.get(name)
    const addresses = this.isFailing || type !== TYPE_A ? [] : (record?.addresses ?? [])
    const head = Buffer.alloc(HEADER_BYTES)
    question.copy(head, 0, 0, 2)
    head.writeUInt16BE(RESPONSE | (this.isFailing ? SERVER_FAILURE : record === undefined ? NO_SUCH_NAME : 0), 2)
    head.writeUInt16BE(1, 4)
    head.writeUInt16BE(addresses.length, 6)
    const answers = addresses.map((address) => {
      const row = Buffer.alloc(16)
      // The name is that of the question.
      row.writeUInt16BE(0xc000 | HEADER_BYTES, 0)
      row.writeUInt16BE(TYPE_A, 2)
      row.writeUInt16BE(1, 4)
      row.writeUInt32BE(record?.ttlS ?? 0, 6)
      row.writeUInt16BE(4, 10)
      for (const [index, part] of address.split('.').entries()) row.writeUInt8(Number(part), 12 + index)
      return row
    })
    this.socket.send(Buffer.concat([head, question.subarray(HEADER_BYTES, end), ...answers]), from.port, from.address)
  }
}
