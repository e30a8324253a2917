// Uploads of random bodies over connections with several requests. Heads and bodies are cut at random places. The app must answer the right
// SHA-256.

import { createHash } from 'node:crypto'
import { seededRandom } from '../../../../../test/support/random.ts'
import { RawClient, type Target, thinkTime } from './raw-client.ts'

const REQUESTS_PER_CONNECTION = 3
const MAX_BODY_BYTES = 300_000
const CONCURRENT = 24
/** Fraction of pieces after which the client pauses, so that the worker reads them alone. */
const PAUSES = 0.3
const PAUSE_MS = 5

export interface UploadTotals {
  uploads: number
  bytes: number

  faults: string[]
}

/** Sends `count` uploads from parallel clients. Each connection uses the `folders` in turn. */
export async function upload(target: Target, count: number, seed: number, folders: readonly string[] = ['/upload']): Promise<UploadTotals> {
  const random = seededRandom(seed)
  // A body is a slice of one random block, with its number in front.
  const block = Buffer.alloc(MAX_BODY_BYTES)
  for (let at = 0; at < block.length; at += 4) block.writeUInt32LE(Math.floor(random() * 2 ** 32), at)
  const totals: UploadTotals = { uploads: 0, bytes: 0, faults: [] }
  let next = 0

  async function client(): Promise<void> {
    while (next < count) {
      const connection = new RawClient(target)
      try {
        for (let turn = 0; turn < REQUESTS_PER_CONNECTION && next < count; turn++) {
          const number = next++
          await oneUpload(connection, number, folders[turn % folders.length] as string)
          totals.uploads++
        }
      } catch (error) {
        totals.faults.push((error as Error).message)
      } finally {
        connection.destroy()
      }
    }
  }

  async function oneUpload(connection: RawClient, number: number, folder: string): Promise<void> {
    // One body in five is tiny or empty.
    const size = random() < 0.2 ? Math.floor(random() * 3) : Math.floor(random() * MAX_BODY_BYTES)
    const body = Buffer.from(block.subarray(0, size))
    if (size >= 4) body.writeUInt32LE(number, 0)
    const chunked = random() < 0.3
    const length = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${size}`
    const padding = `X-Padding: ${'p'.repeat(Math.floor(random() * 500))}`
    const head = Buffer.from(`POST ${folder}/${number} HTTP/1.1\r\nHost: test\r\n${length}\r\n${padding}\r\n\r\n`)
    const sent = Buffer.concat([head, chunked ? chunks(body) : body])
    const expected = createHash('sha256').update(body).digest('hex')
    for (const piece of pieces(sent, head.length)) {
      if (connection.isOver) throw new Error(`upload ${number}: the connection ended while it was sent`)
      connection.write(piece)
      await (random() < PAUSES ? thinkTime(PAUSE_MS) : turnOfTheLoop())
    }
    const { status, body: text } = await connection.answer(30_000)
    if (status !== 200 || text.toString() !== expected)
      throw new Error(`upload ${number} (${size} bytes): ${status} ${text.subarray(0, 80)}`)
    totals.bytes += size
  }

  /** Cuts the head at 0 to 3 places, and the request at 0 to 3 more. */
  function* pieces(sent: Buffer, headLength: number): Generator<Buffer> {
    const cuts = new Set<number>()
    for (let left = Math.floor(random() * 4); left > 0; left--) cuts.add(1 + Math.floor(random() * headLength))
    for (let left = Math.floor(random() * 4); left > 0; left--) cuts.add(Math.floor(random() * sent.length))
    let from = 0
    for (const cut of [...cuts].sort((one, other) => one - other)) {
      if (cut > from) yield sent.subarray(from, cut)
      from = Math.max(from, cut)
    }
    yield sent.subarray(from)
  }

  function chunks(body: Buffer): Buffer {
    const parts: Buffer[] = []
    for (let at = 0; at < body.length; ) {
      const part = body.subarray(at, at + 1 + Math.floor(random() * 65_536))
      parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'))
      at += part.length
    }
    return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
  }

  await Promise.all(Array.from({ length: CONCURRENT }, client))
  return totals
}

function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
