// Serves pipelined requests of one connection one after another where they would otherwise act in different processes: Node announces them together, and
// requests that are not safe must not be processed in parallel (RFC 9112 §9.3.2).

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { responseOn } from '@switchyard/handoff'

const orderKey = Symbol('switchyard.order')
const forwardedKey = Symbol('switchyard.lastForwarded')

interface OrderedSocket extends Duplex {
  [orderKey]?: Waiting
  [forwardedKey]?: ServerResponse
}

/** Calls `serve` when the responses to all earlier requests have been sent. It is never called if the connection closes before. */
export function serveInOrder(socket: Duplex, response: ServerResponse, serve: () => void): void {
  // Node gives the connection to one response at a time, in the order of the requests.
  if (response.socket !== null) return serve()
  const waiting = waitingOn(socket)
  waiting.add()
  response.once('socket', () => {
    waiting.remove()
    process.nextTick(serve)
  })
}

/** As `serveInOrder`, for an upgrade: it has no response, and nothing is read as a request behind it. */
export function upgradeInOrder(socket: Duplex, upgrade: () => void): void {
  if (responseOn(socket as Socket) === undefined) return upgrade()
  // Node has taken its listeners away. Without them a large response would never end, and an error of the client's would end the worker.
  const onDrain = (): void => void responseOn(socket as Socket)?.emit('drain')
  socket.on('drain', onDrain)
  socket.on('error', ignore)
  const poll = (): void => {
    const before = responseOn(socket as Socket)
    if (before !== undefined) return void before.once('finish', () => process.nextTick(poll))
    socket.off('drain', onDrain)
    if (socket.destroyed) return
    upgrade()
    socket.off('error', ignore)
  }
  poll()
}

/** The request of this response is forwarded to another worker. */
export function recordForwarded(socket: OrderedSocket, response: ServerResponse): void {
  socket[forwardedKey] = response
}

/** Is a request under way, or waiting, that was forwarded to another worker? */
export function isBehindForwarded(socket: OrderedSocket): boolean {
  const last = socket[forwardedKey]
  return last !== undefined && !last.writableFinished && !last.destroyed
}

function waitingOn(socket: OrderedSocket): Waiting {
  let waiting = socket[orderKey]
  if (waiting === undefined) {
    waiting = new Waiting(socket)
    socket[orderKey] = waiting
  }
  return waiting
}

/** While requests wait, nothing more is read: what waits is bounded by the size of one read. */
class Waiting {
  private readonly socket: Duplex
  private count = 0
  private pausesSoon = false

  constructor(socket: Duplex) {
    this.socket = socket
  }

  add(): void {
    this.count++
    if (this.pausesSoon) return
    this.pausesSoon = true
    // Later than the parser, which resumes the connection behind each request. A body that is read resumes it too, and then more requests come.
    process.nextTick(() => {
      this.pausesSoon = false
      if (this.count > 0) this.socket.pause()
    })
  }

  remove(): void {
    if (--this.count === 0) this.socket.resume()
  }
}

function ignore(): void {}
