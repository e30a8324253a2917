// Gives received connections to the app's own server, and claims each one when its first request begins.
//
// A connection with a complete head is claimed late: its bytes are peeked, and the server's parser runs over the copy. Only when the parser is about
// to act on the head does the compare-and-swap decide; then the bytes are read from the kernel. A worker that is killed before, or loses the claim,
// has done nothing that the client or the app can see. The request begins in the loop turn in which the connection arrives.

import { Server as HttpServer, type ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import { ConnectionInjector, connectionCountOf, countAsRead, guardFirstRequest, isHeadComplete, type Offer } from '@switchyard/handoff'
import { speaksHttp2 } from '@switchyard/routing'
import type { InFlight } from './requests/in-flight.ts'

/** The offer whose bytes are in the parser at the moment. */
interface UnclaimedOffer {
  readonly offer: Offer
  /** Undefined until the server has accepted the connection. */
  socket: Socket | undefined
  /** Bytes that are still in the kernel; the claim removes them. */
  peeked: number
  claimed: boolean
  lost: boolean
  /** The response of its first request, once the app has that. */
  response: ServerResponse | undefined
}

/** Reads the ClientHellos of a server's connections. */
export interface HelloReader {
  readonly readsHellos: boolean
  /** `bytes` begin with a complete ClientHello. */
  onHello(socket: Socket, bytes: Buffer): void
}

/** Connections that begin with TLS. */
export interface TlsConnections {
  /** Is one with this tag among them? */
  beginsWithTls(tag: number): boolean
  readonly hellos: HelloReader
}

/** Node's own listener for connections of an HTTP server. */
const [nodesListener] = new HttpServer().listeners('connection')

/** Stands between the channel and one server. */
export class Receiver {
  private readonly server: Server
  private readonly injector: ConnectionInjector
  private readonly inFlight: InFlight
  private readonly loopIsFree: () => void
  private readonly tls: TlsConnections | undefined
  private readonly mayBeHttp2: ((tag: number) => boolean) | undefined
  private current: UnclaimedOffer | undefined
  /** Is an offer in hand that does not count as received yet? */
  private isUncounted = false

  /**
   * Created while the server begins to listen. `loopIsFree` is called when a first request was answered in the call that delivered its connection.
   * `tls`: undefined when no connection of the server begins with TLS. `mayBeHttp2`: may HTTP/2 of a connection with this tag end here?
   */
  constructor(server: Server, inFlight: InFlight, loopIsFree: () => void, tls?: TlsConnections, mayBeHttp2?: (tag: number) => boolean) {
    this.mayBeHttp2 = mayBeHttp2
    this.server = server
    this.injector = new ConnectionInjector(server)
    this.inFlight = inFlight
    this.loopIsFree = loopIsFree
    this.tls = tls
  }

  /** Accepts the offer of a connection, or releases it. */
  receive(offer: Offer): void {
    this.isUncounted = true
    try {
      this.accept(offer)
    } finally {
      this.countReceived()
    }
  }

  /** Counts the offer as received once it counts as in flight, or never will. The primary adds both counts, and must not miss it in between. */
  countReceived(): void {
    if (!this.isUncounted) return
    this.isUncounted = false
    this.inFlight.countReceived()
  }

  private accept(offer: Offer): void {
    const isComplete = isHeadComplete(offer.tag)
    const hellos = this.tls?.beginsWithTls(offer.tag) === true ? this.tls.hellos : undefined
    if (isComplete && hellos === undefined && this.canClaimLate()) return this.acceptUnclaimed(offer)
    if (!offer.claim(0)) return offer.release()
    if (isComplete) offer.stayBusy()
    // The socket reads the bytes off the kernel as soon as the server has it.
    const hello = isComplete && hellos?.readsHellos === true ? (offer.carried ?? offer.peek()) : undefined
    const isPlain = !isComplete && hellos === undefined && this.mayBeHttp2?.(offer.tag) === true
    const isHttp2 = isPlain && speaksHttp2(offer.carried ?? offer.peek())
    const socket = offer.accept(this.injector, offer.carried, isHttp2)
    if (hello !== undefined && socket !== undefined) hellos?.onHello(socket, hello)
  }

  /**
   * Does only Node's own parser see a connection before its first head is read? Other listeners may read, write or close, so they need a claimed
   * connection. So does a full server: it tells the app of each connection that it drops.
   */
  private canClaimLate(): boolean {
    const { server, injector } = this
    if (!(server instanceof HttpServer) || server.listenerCount('connection') !== 1) return false
    if (server.maxConnections && connectionCountOf(server) >= server.maxConnections) return false
    return !injector.pauses && server.listeners('connection')[0] === nodesListener
  }

  /** May Node or the app act on the bytes in the parser? Claims the offer first. */
  readonly mayAct = (): boolean => this.current === undefined || this.ensureClaimed(this.current)

  /** The app is about to get the request of this response. */
  recordResponse(response: ServerResponse): void {
    if (this.current !== undefined) this.current.response = response
  }

  private acceptUnclaimed(offer: Offer): void {
    const unclaimed: UnclaimedOffer = { offer, socket: undefined, peeked: 0, claimed: false, lost: false, response: undefined }
    this.current = unclaimed
    try {
      const socket = offer.accept(this.injector)
      unclaimed.socket = socket
      if (socket?.destroyed === false) this.feed(unclaimed, socket)
    } finally {
      // The parser may need more bytes than were peeked. Nothing has begun then, but the parser holds the bytes.
      this.ensureClaimed(unclaimed)
      this.current = undefined
    }
    if (unclaimed.response?.writableEnded === true) this.loopIsFree()
  }

  private ensureClaimed(unclaimed: UnclaimedOffer): boolean {
    if (unclaimed.claimed) return true
    if (unclaimed.lost) return false
    unclaimed.claimed = unclaimed.offer.claim(unclaimed.peeked)
    unclaimed.lost = !unclaimed.claimed
    if (unclaimed.lost) unclaimed.socket?.destroy()
    return unclaimed.claimed
  }

  /** Passes the first bytes to the server's parser. */
  private feed(unclaimed: UnclaimedOffer, socket: Socket): void {
    const { offer } = unclaimed
    const bytes = offer.carried ?? offer.peek()
    if (offer.carried === undefined) unclaimed.peeked = bytes.length
    if (!guardFirstRequest(socket, this.mayAct)) this.mayAct()
    if (bytes.length === 0 || unclaimed.lost) return
    countAsRead(socket, bytes.length)
    socket.emit('data', bytes)
  }
}
