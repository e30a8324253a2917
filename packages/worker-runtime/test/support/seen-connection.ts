// Records what an app can see of one connection and one request on it, accepted by the server or handed to it.

import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { ConnectionInjector } from '@switchyard/handoff'
import { untilEvent } from '../../../../test/support/until.ts'
import type { Kind } from './server-options.ts'

interface RawHandle {
  readonly fd: number
  open(fd: number): number
  close(): void
  readStart(): number
}

interface PrivateServer {
  readonly _handle: { onconnection: (status: number, handle: RawHandle) => void }
}

export type Seen = Readonly<Record<string, unknown>>

const LISTENING = 'the context of listen()'
const GET = 'GET /walk HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
const context = new AsyncLocalStorage<string>()
/** Properties that differ between connections or with time. */
const VOLATILE = new Set([
  'async_id_symbol',
  'remotePort',
  'peername',
  '_peername',
  'trigger_async_id_symbol',
  'kTimeout',
  'timeout',
  'localPort',
  '_sockname',
])
/** Properties that show the hand-off on the handle only. */
const EVENTS = [
  'connection',
  'secureConnection',
  'request',
  'session',
  'stream',
  'drop',
  'clientError',
  'tlsClientError',
  'timeout',
  'checkContinue',
]

/** Makes a server of a kind; `notes` records what its app sees. */
function makeServer(kind: Kind, options: object, certificate: object, notes: Record<string, unknown>): Server {
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    notes.request = lookAt(request.socket)
    response.end('seen')
  }
  const talk = (socket: Socket): void => {
    socket.on('error', () => {})
    socket.once('data', (bytes) => {
      notes.data = { ...lookAt(socket), text: String(bytes).length }
      socket.end('seen')
    })
    socket.resume()
  }
  switch (kind) {
    case 'net':
      return createServer(options, talk)
    case 'tls':
      return createTlsServer({ ...certificate, ...options }, talk)
    case 'http':
      return createHttpServer(options, answer)
    case 'https':
      return createHttpsServer({ ...certificate, ...options }, answer)
    case 'http2':
      return createHttp2Server(options, (request, response) => {
        notes.request = { context: context.getStore(), method: request.method }
        response.end('seen')
      }) as Server
  }
}

/** How a server gets its connection: it accepts it, or gets it as a worker does. */
export type Way = 'accepted' | 'handed as a handle' | 'handed as a descriptor'

/** Everything seen of one connection. */
export async function seeConnection(kind: Kind, options: object, certificate: object, way: Way): Promise<Seen> {
  const notes: Record<string, unknown> = {}
  const server = makeServer(kind, options, certificate, notes)
  const events: string[] = []
  let accepted: Socket | undefined
  for (const event of EVENTS) server.on(event, () => events.push(event))
  // The listener must close it then.
  server.on('clientError', (_error, socket: Socket) => socket.destroy())
  server.prependListener('connection', (socket: Socket) => {
    accepted = socket
    notes.connection = lookAt(socket)
  })
  const published = (message: unknown): void => {
    const { socket } = message as { socket: Socket & { server?: Server } }
    if (socket.server === server) notes.published = socket === accepted
  }
  subscribe('net.server.socket', published)
  const front = await listen(server, way)
  // A server that pauses its connections never answers.
  const givenUp = 'pauseOnConnect' in options ? untilEvent(server, 'connection') : undefined
  const said = await askAsClient(kind, (front.address() as AddressInfo).port, givenUp)
  await new Promise((resolve) => setImmediate(resolve))
  notes.counted = await new Promise((resolve) => server.getConnections((_error, count) => resolve(accepted === undefined ? count : 'some')))
  unsubscribe('net.server.socket', published)
  accepted?.destroy()
  for (const one of new Set([server, front])) await new Promise((resolve) => one.close(resolve))
  return { ...notes, events, said }
}

/** Resolves with the server to which clients connect. */
async function listen(server: Server, way: Way): Promise<Server> {
  if (way === 'accepted') {
    context.run(LISTENING, () => server.listen(0, '127.0.0.1'))
    await untilEvent(server, 'listening')
    return server
  }
  let injector: ConnectionInjector | undefined
  context.run(LISTENING, () => {
    server.listen(0, '127.0.0.2')
    server.once('listening', () => {
      injector = new ConnectionInjector(server)
    })
  })
  await untilEvent(server, 'listening')
  const front = createServer().listen(0, '127.0.0.1')
  await untilEvent(front, 'listening')
  const { _handle: handle } = front as unknown as PrivateServer
  // A handle whose descriptor was given away must not close it.
  handle.onconnection = (_status, connection) =>
    void injector?.accept((way === 'handed as a handle' ? connection : connection.fd) as never, 1)
  return front
}

/** What the client receives. It hangs up when `givenUp` resolves. */
async function askAsClient(kind: Kind, port: number, givenUp: Promise<unknown> | undefined): Promise<string> {
  if (kind === 'http2') return askHttp2(port, givenUp)
  const isSecure = kind === 'tls' || kind === 'https'
  const socket = isSecure ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }) : connect(port, '127.0.0.1')
  let said = ''
  socket.on('data', (bytes) => {
    said += bytes
  })
  socket.on('error', () => {})
  socket.write(GET)
  void givenUp?.then(() => socket.destroy())
  await new Promise((resolve) => socket.once('close', resolve))
  return said.replace(/\r\nDate: [^\r]*/, '')
}

function askHttp2(port: number, givenUp: Promise<unknown> | undefined): Promise<string> {
  return new Promise((resolve) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    session.on('error', () => {})
    session.on('close', () => resolve('refused'))
    const settled = new Promise<string>((settle) => session.once('remoteSettings', (settings) => settle(JSON.stringify(settings))))
    const stream = session.request({ ':path': '/walk' })
    let said = ''
    stream.on('error', () => {})
    stream.on('data', (bytes) => {
      said += bytes
    })
    stream.on('end', async () => {
      resolve(`${said} ${await settled}`)
      session.close()
    })
    void givenUp?.then(() => session.destroy(new Error('given up')))
  })
}

/** Everything that can be seen of a socket: its own fields, and the getters of its prototypes. */
export function lookAt(socket: Socket): Record<string, unknown> {
  const seen: Record<string, unknown> = { context: context.getStore(), keepAliveTimer: keepAliveTimerOf(socket) }
  const { server } = socket as Socket & { server?: Server | null }
  seen.hasServer = server !== null && server !== undefined && server === (socket as Socket & { _server?: Server })._server
  for (const key of Reflect.ownKeys(socket)) note(seen, `own ${nameOf(key)}`, nameOf(key), Reflect.get(socket, key))
  for (let at = Object.getPrototypeOf(socket); at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const [name, { get }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (get !== undefined) note(seen, name, name, Reflect.get(socket, name))
    }
  }
  seen.address = Object.keys(socket.address()).join()
  seen.paused = socket.isPaused()
  seen.listeners = socket.eventNames().map((event) => `${String(event)} ${socket.listenerCount(event)}`)
  seen.handle = (socket as unknown as { _handle: object | null })._handle?.constructor.name
  seen.timeoutMs = socket.timeout
  return seen
}

function note(seen: Record<string, unknown>, key: string, name: string, value: unknown): void {
  if (VOLATILE.has(name)) return
  const isPlain = value === null || ['boolean', 'number', 'string', 'undefined'].includes(typeof value)
  seen[key] = isPlain ? value : typeof value
}

function nameOf(key: string | symbol): string {
  return typeof key === 'string' ? key : (key.description ?? '')
}

/** Whether TCP keep-alive is on, and its approximate delay in seconds. */
function keepAliveTimerOf({ localPort, remotePort }: Socket): string | undefined {
  if (localPort === undefined || remotePort === undefined) return undefined
  const [local, remote] = [localPort, remotePort].map((port) => port.toString(16).toUpperCase().padStart(4, '0'))
  const line = readFileSync('/proc/self/net/tcp', 'latin1')
    .split('\n')
    .find((row) => row.includes(`:${local} `) && row.includes(`:${remote} `) && row.trim().split(/\s+/)[1]?.endsWith(`:${local}`))
  const [timer, when = ''] = (line?.trim().split(/\s+/)[5] ?? '').split(':')
  return timer === '02' ? `${Math.ceil(Number.parseInt(when, 16) / 1000)} × 10 s` : 'none'
}
