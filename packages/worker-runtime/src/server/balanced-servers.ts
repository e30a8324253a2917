// The app's servers that are balanced, and which of them has the connections of which listener.

import type { Server } from 'node:net'
import type { ListenPlace } from '../protocol.ts'
import { nameFor, nameSocket } from './private-sockets.ts'

/** A server that listens. */
export interface OpenServer {
  readonly server: Server
  /** By which the primary knows it. */
  readonly id: number
  readonly privatePath: string
  place: ListenPlace
}

/** Listeners of which this worker remembers the server that has closed. */
const MAX_CLOSED = 64

/** Those of one worker. */
export class Servers {
  /** In the order in which they began to listen. */
  private readonly open: OpenServer[] = []
  private readonly byListener = new Map<number, OpenServer>()
  /** The last server that closed on a listener: what was on its way to it is served. */
  private readonly closed = new Map<number, Server>()
  private main: OpenServer | undefined

  /** Does it listen? */
  has(one: OpenServer): boolean {
    return this.open.includes(one)
  }

  byId(id: number): OpenServer | undefined {
    return this.open.find((one) => one.id === id)
  }

  /** Whose a connection of this listener is; undefined: there is no server. */
  serverFor(listener: number): Server | undefined {
    return this.byListener.get(listener)?.server ?? this.closed.get(listener) ?? this.main?.server
  }

  /** The listener of a server; undefined: it has none. */
  listenerOf(server: Server | null | undefined): number | undefined {
    return this.open.find((one) => one.server === server)?.place.listener
  }

  add(one: OpenServer): void {
    this.open.push(one)
    this.choose(one.privatePath, one.place)
  }

  /** The primary has given it another place. */
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

  /** Of several servers on one listener the first has its connections. */
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
