// Gives received connections to the app's own server, and claims each in the moment its first request begins.
//
// A connection with a whole head is claimed late: its bytes are peeked, the server's own parser runs over the copy, and only when it is about
// to call the app does the compare-and-swap decide; then the bytes are taken from the kernel. So a worker that is killed, or has lost the
// claim, has done nothing that anybody could see, and the request begins in the same turn of the loop in which the connection came.

import { Server as HttpServer, type ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import { Acceptor, countAsRead, isHeadComplete, type Offer } from '@switchyard/handoff'
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

/** Stands between the channel and one server. */
export class Reception {
  private readonly server: Server
  private readonly acceptor: Acceptor
  private readonly inFlight: InFlight
  private readonly loopIsFree: () => void
  private beginning: Beginning | undefined
  /** Is an offer in hand that is not counted as received yet? */
  private isUncounted = false

  /** To be made while the server begins to listen. `loopIsFree`: is told when a connection's first request was answered in the call that brought it. */
  constructor(server: Server, inFlight: InFlight, loopIsFree: () => void) {
    this.server = server
    this.acceptor = new Acceptor(server)
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
    if (this.mayBeginHere(offer)) return this.begin(offer)
    if (!offer.claim(0)) return offer.release()
    if (isHeadComplete(offer.tag)) offer.stayBusy()
    offer.accept(this.acceptor, offer.carried)
  }

  /** More listeners than Node's own may look at the bytes themselves, and a server may have them wait: they get a connection as they know it. */
  private mayBeginHere({ tag }: Offer): boolean {
    const { server, acceptor } = this
    return isHeadComplete(tag) && server instanceof HttpServer && server.listenerCount('connection') === 1 && !acceptor.pauses
  }

  /** Is the server allowed to tell its app of what is in the parser now? Claims it if nobody has. */
  mayTell(): boolean {
    return this.beginning === undefined || this.mayBegin(this.beginning)
  }

  /** The app is about to have the request that this answers. */
  noteResponse(response: ServerResponse): void {
    if (this.beginning !== undefined) this.beginning.response = response
  }

  private begin(offer: Offer): void {
    const beginning: Beginning = { offer, socket: undefined, peeked: 0, claimed: false, lost: false, response: undefined }
    this.beginning = beginning
    try {
      const socket = offer.accept(this.acceptor)
      beginning.socket = socket
      if (socket?.destroyed === false) feed(beginning, socket)
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
}

/** Gives the first bytes to the server's parser. */
function feed(beginning: Beginning, socket: Socket): void {
  const { offer } = beginning
  const bytes = offer.carried ?? offer.peek()
  if (offer.carried === undefined) beginning.peeked = bytes.length
  if (bytes.length === 0) return
  countAsRead(socket, bytes.length)
  socket.emit('data', bytes)
}
