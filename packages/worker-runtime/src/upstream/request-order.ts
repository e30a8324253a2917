// Serves the requests of one client connection one after another. Node announces pipelined requests together, and requests that are not safe must not be
// processed in parallel (RFC 9112 §9.3.2).

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

const orderKey = Symbol('switchyard.requestOrder')

interface Client extends Duplex {
  [orderKey]?: RequestOrder
}

/** Calls `serve` when the responses to all earlier requests of the connection have been sent. It is never called if the connection closes before. */
export function serveInOrder({ socket }: IncomingMessage, response: ServerResponse, serve: () => void): void {
  const order = orderOf(socket)
  order.last = response
  // Node gives the connection to one response at a time, in the order of the requests.
  if (response.socket !== null) return serve()
  order.addWaiting()
  response.once('socket', () => {
    order.removeWaiting()
    process.nextTick(serve)
  })
}

/** As `serveInOrder`, for an upgrade: it has no response, and nothing is read as a request behind it. */
export function upgradeInOrder(client: Duplex, upgrade: () => void): void {
  const last = orderOf(client).last
  if (last === undefined || last.writableFinished) return upgrade()
  last.once('finish', () => process.nextTick(upgrade))
}

function orderOf(client: Client): RequestOrder {
  let order = client[orderKey]
  if (order === undefined) {
    order = new RequestOrder(client)
    client[orderKey] = order
  }
  return order
}

class RequestOrder {
  /** The response to the last request so far. */
  last: ServerResponse | undefined
  private readonly client: Duplex
  private waiting = 0

  constructor(client: Duplex) {
    this.client = client
  }

  /** While requests wait, nothing more is read: what waits is bounded by the size of one read. */
  addWaiting(): void {
    if (this.waiting++ > 0) return
    // Later than the parser, which resumes the connection behind each request.
    process.nextTick(() => {
      if (this.waiting > 0) this.client.pause()
    })
  }

  removeWaiting(): void {
    if (--this.waiting === 0) this.client.resume()
  }
}
