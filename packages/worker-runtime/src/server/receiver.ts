// Gives received connections to the app's own server, and claims each in the moment its first request begins.
//
// A connection with a whole head is claimed late: its bytes are peeked, the server's own parser runs over the copy, and only when it is about
// to act on the head does the compare-and-swap decide; then the bytes are taken from the kernel. So a worker that is killed, or has lost the
// claim, has done nothing that a client or the app could see, and the request begins in the same turn of the loop in which the connection came.

import { Server as HttpServer, type ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import { ConnectionInjector, connectionCountOf, countAsRead, guardFirstRequest, isHeadComplete, type Offer } from '@switchyard/handoff'
import type { InFlight } from './in-flight.ts'

/** The one offer whose bytes are in the parser at the moment. */
interface Beginning {
  readonly offer: Offer
  /** Undefined until its server has accepted it. */
  socket: Socket | undefined
  /** How many bytes are still in the kernel and must leave it with the claim. */
  peeked: number
  claimed: boolean
  lost: boolean
  /** Of its first request, once the app has that. */
  response: ServerResponse | undefined
}

/** What Node itself does with a connection of an HTTP server. */
const [nodesListener] = new HttpServer().listeners('connection')

/** Stands between the channel and one server. */
export class Receiver {
  private readonly server: Server
  private readonly injector: ConnectionInjector
  private readonly inFlight: InFlight
  private readonly loopIsFree: () => void
  private beginning: Beginning | undefined
  /** Is an offer in hand that is not counted as received yet? */
  private isUncounted = false

  /** To be made while the server begins to listen. `loopIsFree`: is told when a connection's first request was answered in the call that brought it. */
  constructor(server: Server, inFlight: InFlight, loopIsFree: () => void) {
    this.server = server
    this.injector = new ConnectionInjector(server)
    this.inFlight = inFlight
    this.loopIsFree = loopIsFree
  }

  /** Takes an offer, whatever becomes of it. */
  receive(offer: Offer): void {
    this.isUncounted = true
    try {
      this.take(offer)
    } finally {
      this.countReceived()
    }
  }

  /** What has been received is in flight from here on, or will never be: the primary, which adds up both, must not find it in neither. */
  countReceived(): void {
    if (!this.isUncounted) return
    this.isUncounted = false
    this.inFlight.countReceived()
  }

  private take(offer: Offer): void {
    if (isHeadComplete(offer.tag) && this.holdsBack()) return this.begin(offer)
    if (!offer.claim(0)) return offer.release()
    if (isHeadComplete(offer.tag)) offer.stayBusy()
    offer.accept(this.injector, offer.carried)
  }

  /**
   * Does nothing but Node's own parser see a connection before its first head is read? Other listeners may read, write or close: they get a connection
   * that is claimed. So does the app of a server that is full, which is told of each connection that it drops.
   */
  private holdsBack(): boolean {
    const { server, injector } = this
    if (!(server instanceof HttpServer) || server.listenerCount('connection') !== 1) return false
    if (server.maxConnections && connectionCountOf(server) >= server.maxConnections) return false
    return !injector.pauses && server.listeners('connection')[0] === nodesListener
  }

  /** May Node, or the app, act on what is in the parser now? Claims it if it is not claimed. */
  readonly mayTell = (): boolean => this.beginning === undefined || this.mayBegin(this.beginning)

  /** The app is about to have the request that this answers. */
  noteResponse(response: ServerResponse): void {
    if (this.beginning !== undefined) this.beginning.response = response
  }

  private begin(offer: Offer): void {
    const beginning: Beginning = { offer, socket: undefined, peeked: 0, claimed: false, lost: false, response: undefined }
    this.beginning = beginning
    try {
      const socket = offer.accept(this.injector)
      beginning.socket = socket
      if (socket?.destroyed === false) this.feed(beginning, socket)
    } finally {
      // The parser may want more than our peek had: then nothing has begun, but it has the bytes.
      this.mayBegin(beginning)
      this.beginning = undefined
    }
    if (beginning.response?.writableEnded === true) this.loopIsFree()
  }

  private mayBegin(beginning: Beginning): boolean {
    if (beginning.claimed) return true
    if (beginning.lost) return false
    beginning.claimed = beginning.offer.claim(beginning.peeked)
    beginning.lost = !beginning.claimed
    if (beginning.lost) beginning.socket?.destroy()
    return beginning.claimed
  }

  /** Gives the first bytes to the server's parser. */
  private feed(beginning: Beginning, socket: Socket): void {
    const { offer } = beginning
    const bytes = offer.carried ?? offer.peek()
    if (offer.carried === undefined) beginning.peeked = bytes.length
    if (!guardFirstRequest(socket, this.mayTell)) this.mayTell()
    if (bytes.length === 0 || beginning.lost) return
    countAsRead(socket, bytes.length)
    socket.emit('data', bytes)
  }
}
