// The http.Server of a proxy worker: it gives each request to an upstream server, or refuses it.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { serveInOrder, upgradeInOrder } from '../forward/request-order.ts'
import { type ClientFieldOptions, type FieldRefusal, proxiedFields } from './fields/request-fields.ts'
import { type Prefixes, upstreamTarget } from './fields/request-target.ts'
import { ClientConnection } from './requests/client-connection.ts'
import { ProxiedRequest, type ProxiedTarget, type ProxyContext, sendRefusal } from './requests/proxied-request.ts'
import { ProxiedUpgrade, refuseUpgrade } from './requests/proxied-upgrade.ts'

/** Longer than the pause between two clicks, as nginx has it. */
const KEEP_ALIVE_MS = 65_000

export interface ProxyServerOptions {
  readonly context: ProxyContext
  readonly fields: ClientFieldOptions
  readonly prefixes: Prefixes
}

export function proxyServer(options: ProxyServerOptions): Server {
  // An upload may take as long as it needs: its silence has a limit, not its length.
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS })
  // Fields beyond a limit would be framed by the parser and hidden from us.
  server.maxHeadersCount = 0
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    serveInOrder(socket, response, () => serve(ClientConnection.of(socket), request, response, options))
  }
  server.on('request', onRequest)
  // The server decides whether the client may send its body.
  server.on('checkContinue', onRequest)
  server.on('upgrade', (request: IncomingMessage, client: Duplex, behindHead: Buffer) =>
    upgradeInOrder(client, () => upgrade(request, client, behindHead, options)),
  )
  server.on('connect', (_request: IncomingMessage, client: Duplex) => refuseUpgrade(client, 405, 'no tunnels'))
  return server
}

/** Connections with a refused request. What came behind it may be a request for our parser only. */
const refused = new WeakSet<Duplex>()

function serve(client: ClientConnection, request: IncomingMessage, response: ServerResponse, options: ProxyServerOptions): void {
  if (refused.has(request.socket)) return
  const proxied = proxiedOf(request, false, options)
  if ('status' in proxied) {
    refused.add(request.socket)
    response.shouldKeepAlive = false
    return sendRefusal(response, proxied.status, proxied.reason)
  }
  new ProxiedRequest(options.context, client, request, response, proxied).begin()
}

/** Node gives every upgrade here, whatever its protocol. Others than websockets would bypass the routes, so only those are passed on. */
function upgrade(request: IncomingMessage, client: Duplex, behindHead: Buffer, options: ProxyServerOptions): void {
  // Node has taken its listener away.
  if (refused.has(client)) return void client.on('error', ignore)
  const { headers } = request
  if (headers.upgrade?.trim().toLowerCase() !== 'websocket') return refuseUpgrade(client, 501, 'unknown upgrade')
  const length = headers['content-length']
  if (headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) !== 0))
    return refuseUpgrade(client, 400, 'an upgrade with a body')
  const proxied = proxiedOf(request, true, options)
  if ('status' in proxied) return refuseUpgrade(client, proxied.status, proxied.reason)
  new ProxiedUpgrade(options.context, request, client, behindHead, proxied).begin()
}

function proxiedOf(request: IncomingMessage, isUpgrade: boolean, { fields, prefixes }: ProxyServerOptions): ProxiedTarget | FieldRefusal {
  // RFC 9110 §9.3.8: it would show the client what proxies add.
  if (request.method === 'TRACE') return { status: 405, reason: 'no TRACE' }
  const found = upstreamTarget(request.method, request.url as string, prefixes)
  if (found === undefined) return { status: 400, reason: 'bad target' }
  const proxied = proxiedFields(request, found.authority, isUpgrade, fields)
  return 'status' in proxied ? proxied : { ...proxied, target: found.target }
}

function ignore(): void {}
