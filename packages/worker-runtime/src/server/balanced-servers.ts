// The balanced servers of this worker's app, and which of them serves the connections of which listener.

import type { Server } from 'node:net'
import type { ListenPlace } from '../listen-protocol.ts'
import { nameFor, nameSocket } from './private-sockets.ts'

export interface OpenServer {
  readonly server: Server
  /** The worker's number for the server, which the primary uses too. */
  readonly id: number
  readonly privatePath: string
  place: ListenPlace
}

/** Listeners whose closed server is remembered. */
const MAX_CLOSED = 64

export class Servers {
  /** In the order of their listen() calls. */
  private readonly open: OpenServer[] = []
  private readonly byListener = new Map<number, OpenServer>()
  /** The last server that closed on a listener. It still serves connections that were on their way to it. */
  private readonly closed = new Map<number, Server>()
  private main: OpenServer | undefined

  has(one: OpenServer): boolean {
    return this.open.includes(one)
  }

  byId(id: number): OpenServer | undefined {
    return this.open.find((one) => one.id === id)
  }

  /** The server that serves connections of this listener. */
  serverFor(listener: number): Server | undefined {
    return this.byListener.get(listener)?.server ?? this.closed.get(listener) ?? this.main?.server
  }

  listenerOf(server: Server | null | undefined): number | undefined {
    return this.open.find((one) => one.server === server)?.place.listener
  }

  add(one: OpenServer): void {
    this.open.push(one)
    this.choose(one.privatePath, one.place)
  }

  /** The primary has moved the server to another listener. */
  move(one: OpenServer, place: ListenPlace): void {
    one.place = place
    this.choose(one.privatePath, place)
  }

  remove(one: OpenServer): void {
    const index = this.open.indexOf(one)
    if (index === -1) return
    this.open.splice(index, 1)
    this.choose(one.privatePath, one.place, one.server)
  }

  /** The first of several servers on a listener serves its connections. */
  private choose(privatePath: string, { listener, standsIn }: ListenPlace, closed?: Server): void {
    const first = this.open.find(({ place }) => place.listener === listener && !place.standsIn)
    if (first !== undefined) {
      this.byListener.set(listener, first)
      this.closed.delete(listener)
    } else if (!standsIn) {
      this.byListener.delete(listener)
      if (closed !== undefined) this.rememberClosed(listener, closed)
    }
    nameSocket(nameFor(privatePath, listener), first?.privatePath)
    const main =
      this.open.find(({ place }) => place.isMain && !place.standsIn) ?? this.open.find(({ place }) => place.isMain) ?? this.open[0]
    if (main === this.main) return
    this.main = main
    nameSocket(nameFor(privatePath), main?.privatePath)
  }

  private rememberClosed(listener: number, server: Server): void {
    this.closed.set(listener, server)
    if (this.closed.size <= MAX_CLOSED) return
    const [oldest] = this.closed.keys()
    this.closed.delete(oldest as number)
  }
}
