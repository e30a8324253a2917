// Commands for a test's Redis, one connection for each: as little of RESP2 as the tests need. The tests do not check the product's client
// with itself.

import { connect } from 'node:net'
import { patience } from './patience.ts'

export type Reply = string | number | null | Reply[]

/** Sends one command; resolves with its reply, rejects with Redis's error. */
export function redisCommand(port: number, ...words: readonly (string | number)[]): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    const chunks: Buffer[] = []
    const end = (act: () => void): void => {
      clearTimeout(timer)
      socket.destroy()
      act()
    }
    const timer = setTimeout(() => end(() => reject(new Error(`no reply to ${words[0]}`))), patience(2_000))
    socket.once('error', (error) => end(() => reject(error)))
    socket.once('close', () => end(() => reject(new Error(`closed during ${words[0]}`))))
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      const read = readReply(Buffer.concat(chunks), 0)
      if (read === undefined) return
      const { reply } = read
      end(() => (reply instanceof Error ? reject(reply) : resolve(reply)))
    })
    socket.write(encode(words))
  })
}

/** The commands of clients, line by line, as MONITOR reports them. */
export async function monitorRedis(port: number): Promise<{ lines(): string[]; stop(): void }> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
  })
  socket.write(encode(['MONITOR']))
  await new Promise((resolve, reject) => {
    socket.once('data', resolve)
    socket.once('error', reject)
  })
  return { lines: () => text.split('\r\n').filter((line) => line !== '' && line !== '+OK'), stop: () => socket.destroy() }
}

function encode(words: readonly (string | number)[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`).join('')}`
}

interface Read {
  readonly reply: Reply | Error
  readonly end: number
}

/** Undefined: the reply is incomplete. */
function readReply(bytes: Buffer, start: number): Read | undefined {
  const lineEnd = bytes.indexOf('\r\n', start)
  if (lineEnd < 0) return undefined
  const line = bytes.toString('utf8', start + 1, lineEnd)
  const end = lineEnd + 2
  switch (bytes.toString('latin1', start, start + 1)) {
    case '+':
      return { reply: line, end }
    case '-':
      return { reply: new Error(line), end }
    case ':':
      return { reply: Number(line), end }
    case '$': {
      const length = Number(line)
      if (length < 0) return { reply: null, end }
      return bytes.length < end + length + 2 ? undefined : { reply: bytes.toString('utf8', end, end + length), end: end + length + 2 }
    }
    default:
      return readArray(bytes, Number(line), end)
  }
}

function readArray(bytes: Buffer, length: number, start: number): Read | undefined {
  if (length < 0) return { reply: null, end: start }
  const replies: Reply[] = []
  let end = start
  for (let index = 0; index < length; index++) {
    const read = readReply(bytes, end)
    if (read === undefined) return undefined
    replies.push(read.reply instanceof Error ? read.reply.message : read.reply)
    end = read.end
  }
  return { reply: replies, end }
}
