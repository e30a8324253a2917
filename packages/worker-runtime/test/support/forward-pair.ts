// Two workers of one app in one process: clients connect to the near one, which forwards every request to the far one over a private unix
// socket. A bare server with the same app serves for comparison.

import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atSuiteEnd } from '../../../../test/suite.ts'
import { ForwardedRequests } from '../../src/forward/forwarded.ts'
import { type Choose, Forwarder, type ForwarderOptions } from '../../src/forward/forwarder.ts'
import { FieldLimit } from '../../src/server/field-limit.ts'
import { Wire } from './wire.ts'

export const TOKEN = 'a-token-that-is-hard-to-guess-0123456789'

type AnyServer = Server | HttpsServer
type Emit = (event: string, ...values: unknown[]) => boolean

export interface PairOptions {
  /** Installs the app on a server; called once for each. */
  readonly app: (server: AnyServer) => void
  readonly server?: ServerOptions
  /** Key and certificate make all three https servers. */
  readonly tls?: { readonly key: string; readonly cert: string }
  readonly forwarder?: Partial<ForwarderOptions>
}

export interface Pair {
  /** Ports of the near worker and of the bare server on 127.0.0.1. */
  readonly port: number
  readonly barePort: number
  readonly near: AnyServer
  readonly far: AnyServer
  readonly bare: AnyServer
  /** The far worker's private socket, and its folder. */
  readonly socketPath: string
  readonly folder: string
  readonly forwarder: Forwarder
  /** Open connections of the far worker. */
  readonly privateSockets: ReadonlySet<Socket>
  /** Chooses the target of the near worker; by default the far one. */
  choose: Choose
  stop(): Promise<void>
}

export async function startPair(options: PairOptions): Promise<Pair> {
  const folder = privateFolder()
  const socketPath = join(folder, 'far.sock')
  const forwarder = new Forwarder({ token: TOKEN, ...options.forwarder })
  const [near, far, bare] = [newServer(options), newServer(options), newServer(options)]
  const privateSockets = new Set<Socket>()
  receiveForwarded(far, privateSockets)
  await Promise.all([listen(near, 0), listen(far, socketPath), listen(bare, 0)])
  const pair: Pair = {
    port: (near.address() as AddressInfo).port,
    barePort: (bare.address() as AddressInfo).port,
    near,
    far,
    bare,
    socketPath,
    folder,
    forwarder,
    privateSockets,
    choose: async () => ({ socketPath }),
    async stop() {
      forwarder.close()
      await Promise.all([near, far, bare].map(close))
      rmSync(folder, { recursive: true, force: true })
    },
  }
  forwardAll(near, forwarder, (failed) => pair.choose(failed))
  atSuiteEnd(() => pair.stop())
  return pair
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** A pair whose app is one handler of requests. */
export function pairOf(handler: Handler, options: Omit<PairOptions, 'app'> = {}): Promise<Pair> {
  return startPair({ ...options, app: (server) => void server.on('request', handler) })
}

/** One request on its own connection; resolves when its head was answered. */
export async function oneRequest({ port }: Pair): Promise<void> {
  const wire = new Wire(port).write('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
  await wire.untilText('\r\n\r\n')
  wire.destroy()
}

/** A folder of mode 0700 for private sockets; its paths must stay short. */
export function privateFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'forward-'))
  chmodSync(folder, 0o700)
  return folder
}

/** From now on no request of the server reaches its app before `choose` says 'here'. */
export function forwardAll(server: AnyServer, forwarder: Forwarder, choose: Choose): void {
  const emit = server.emit.bind(server) as Emit
  const limit = new FieldLimit(server)
  server.emit = ((event: string, first: IncomingMessage, second: ServerResponse | Socket, third: Buffer) => {
    const serve = () => void emit(event, first, second, third)
    if (event === 'request' || event === 'checkContinue' || event === 'checkExpectation') {
      forwarder.request(first, second as ServerResponse, choose, serve)
    } else if (event === 'upgrade' || event === 'connect') forwarder.upgrade(first, second as Socket, third, choose, serve)
    else if (event === 'connection' || event === 'secureConnection') return limit.lift(() => emit(event, first))
    else return emit(event, first, second, third)
    return true
  }) as typeof server.emit
}

/** From now on the server treats connections that it accepts itself as those of other workers. */
export function receiveForwarded(server: AnyServer, sockets?: Set<Socket>): void {
  const forwarded = new ForwardedRequests(server, TOKEN)
  const limit = new FieldLimit(server)
  const emit = server.emit.bind(server) as Emit
  server.emit = ((event: string, ...values: unknown[]) => {
    if (event === 'connection') {
      const socket = values[0] as Socket
      sockets?.add(socket)
      socket.once('close', () => sockets?.delete(socket))
      return forwarded.accept(socket, (as) => emit(as, socket))
    }
    if (/^(request|checkContinue|checkExpectation|upgrade|connect)$/.test(event)) {
      forwarded.restore(values[0] as IncomingMessage)
      if (!limit.apply(values[0] as IncomingMessage)) {
        const second = values[1] as ServerResponse & Socket
        if (event === 'upgrade' || event === 'connect')
          second.end('HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n')
        else second.writeHead(431, { Connection: 'close' }).end()
        return true
      }
    }
    return emit(event, ...values)
  }) as typeof server.emit
}

function newServer({ app, server: options = {}, tls }: PairOptions): AnyServer {
  const server = tls === undefined ? createServer(options) : createHttpsServer({ ...options, ...tls })
  app(server)
  return server
}

function listen(server: AnyServer, where: number | string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    const listening = () => resolve()
    if (typeof where === 'number') server.listen(where, '127.0.0.1', listening)
    else server.listen(where, listening)
  })
}

function close(server: AnyServer): Promise<void> {
  return new Promise((resolve) => {
    if (!server.listening) return resolve()
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
