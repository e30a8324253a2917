// The first line of a connection that carries streams of HTTP/2 between two workers. All of them belong to one client, so the worker that serves them
// knows the client before the first one. Behind the line the connection is one of HTTP/2 as the client's:
//
//   SWITCHYARD-STREAMS <token> <listener> tls|plain <remote address> <port> <local address> <port> [<proxied>]

import { timingSafeEqual } from 'node:crypto'
import type { Socket } from 'node:net'
import { ProxiedClient, proxiedOf } from '@switchyard/handoff'

const NAME = 'SWITCHYARD-STREAMS'
const NAME_BYTES = Buffer.from(`${NAME} `, 'latin1')
const UNKNOWN = '-'
const LINE_END = 0x0a
/** What a proxy may have said of the client is the longest part. */
const MAX_BYTES = 8192
const WAIT_MS = 10_000

/** What the line says of the client. */
export interface StreamClient {
  readonly listener: number
  readonly encrypted: boolean
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  readonly localAddress: string | undefined
  readonly localPort: number | undefined
  readonly proxied: ProxiedClient | undefined
}

/** Writes the line for a client's connection. */
export function streamLine(socket: Socket, listener: number, token: string): string {
  const { encrypted, remoteAddress, remotePort, localAddress, localPort } = socket as Socket & { readonly encrypted?: boolean }
  const words = [remoteAddress, remotePort, localAddress, localPort].map((word) => word ?? UNKNOWN)
  const proxied = proxiedOf(socket)
  if (proxied !== undefined) words.push(proxied.packed.toString('base64url'))
  return `${NAME} ${token} ${listener} ${encrypted === true ? 'tls' : 'plain'} ${words.join(' ')}\r\n`
}

/**
 * Reads the first bytes of a private connection. Calls `done` once, with the client of the line, or undefined: it begins with something else. What is behind the
 * line is put back. A connection with a wrong token, or none of a line for 10 s, is closed.
 */
export function readStreamLine(socket: Socket, token: Buffer, done: (client: StreamClient | undefined) => void): void {
  let bytes: Buffer = Buffer.alloc(0)
  const timer = setTimeout(() => socket.destroy(), WAIT_MS).unref()
  const stop = (): void => {
    clearTimeout(timer)
    socket.off('data', onData)
    socket.off('close', stop)
  }
  const settle = (client: StreamClient | undefined, rest: Buffer): void => {
    stop()
    socket.pause()
    if (rest.length > 0)
      socket.unshift(rest)
      // Node gives a connection to its server neither paused nor flowing.
    ;(socket as { readableFlowing: boolean | null }).readableFlowing = null
    done(client)
  }
  const onData = (chunk: Buffer): void => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
    const known = Math.min(bytes.length, NAME_BYTES.length)
    if (bytes.compare(NAME_BYTES, 0, known, 0, known) !== 0) return settle(undefined, bytes)
    const end = bytes.indexOf(LINE_END)
    if (end === -1) return void (bytes.length > MAX_BYTES && socket.destroy())
    const client = clientIn(bytes.toString('latin1', NAME_BYTES.length, end).trimEnd(), token)
    if (client === undefined) return void socket.destroy()
    settle(client, bytes.subarray(end + 1))
  }
  socket.on('data', onData)
  socket.on('close', stop)
}

function clientIn(text: string, token: Buffer): StreamClient | undefined {
  const [given = '', listener, security, remoteAddress, remotePort, localAddress, localPort, packed] = text.split(' ')
  const bytes = Buffer.from(given, 'latin1')
  if (bytes.length !== token.length || !timingSafeEqual(bytes, token) || localPort === undefined) return undefined
  return {
    listener: Number(listener),
    encrypted: security === 'tls',
    remoteAddress: known(remoteAddress),
    remotePort: portOf(remotePort),
    localAddress: known(localAddress),
    localPort: portOf(localPort),
    proxied: packed === undefined ? undefined : ProxiedClient.unpack(Buffer.from(packed, 'base64url')),
  }
}

function known(word: string | undefined): string | undefined {
  return word === UNKNOWN ? undefined : word
}

function portOf(word: string | undefined): number | undefined {
  return word === UNKNOWN ? undefined : Number(word)
}
