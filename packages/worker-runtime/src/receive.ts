// Gives received connections to the app's own server, and claims each in the moment its first request begins.
//
// A connection with a whole head is claimed late: its bytes are peeked, the server's own parser runs over the copy, and only when it is about
// to call the app does the compare-and-swap decide; then the bytes are taken from the kernel. So a worker that is killed, or has lost the
// claim, has done nothing that anybody could see, and the request begins in the same turn of the loop in which the connection came.

import { Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import { adoptDescriptor, isHeadComplete, listenerOf, type Offer } from '@switchyard/handoff'
import type { InFlight } from './in-flight.ts'
import type { TicketCookies } from './ticket-cookie.ts'

/** The one offer whose bytes are in the parser at the moment. */
interface Beginning {
  readonly offer: Offer
  readonly socket: Socket
  readonly bytes: number
  claimed: boolean
  lost: boolean
}

/** Stands between the channel and one server. */
export class Reception {
  /** While draining, every response says `Connection: close`. */
  draining = false
  private readonly server: Server
  private readonly inFlight: InFlight
  private readonly cookies: TicketCookies | undefined
  // biome-ignore lint/correctness/noUnusedPrivateClassMembers: the server's emit reads it
  private beginning: Beginning | undefined

  constructor(server: Server, inFlight: InFlight, cookies: TicketCookies | undefined) {
    this.server = server
    this.inFlight = inFlight
    this.cookies = cookies
    this.watch()
  }

  /** Takes an offer, whatever becomes of it. */
  receive(offer: Offer): void {
    this.inFlight.countReceived()
    // More listeners than Node's own may look at the bytes themselves: they get a connection as they know it.
    const beginsHere = isHeadComplete(offer.tag) && this.server instanceof HttpServer && this.server.listenerCount('connection') === 1
    if (!beginsHere && !offer.claim(0)) return offer.release()
    const socket = adoptDescriptor(this.server, offer.fd, listenerOf(offer.tag))
    if (socket === undefined) {
      if (beginsHere) offer.claim(0)
      return
    }
    if (!beginsHere) this.server.emit('connection', socket)
    else this.begin(offer, socket)
  }

  private begin(offer: Offer, socket: Socket): void {
    const bytes = offer.peek()
    const beginning: Beginning = { offer, socket, bytes: bytes.length, claimed: false, lost: false }
    this.beginning = beginning
    try {
      this.server.emit('connection', socket)
      if (bytes.length > 0) socket.emit('data', bytes)
    } finally {
      // The parser may want more than our peek had: then nothing has begun, but it has the bytes.
      this.mayBegin(beginning)
      this.beginning = undefined
    }
  }

  private mayBegin(beginning: Beginning): boolean {
    if (beginning.claimed) return true
    if (beginning.lost) return false
    beginning.claimed = beginning.offer.claim(beginning.bytes)
    beginning.lost = !beginning.claimed
    if (beginning.lost) beginning.socket.destroy()
    return beginning.claimed
  }

  /** Everything that a server tells its app goes through `emit`; what belongs to an unclaimed connection stops here. */
  private watch(): void {
    const { server } = this
    const reception = this
    const emit = server.emit as (this: Server, event: string | symbol, ...values: unknown[]) => boolean
    server.emit = function (this: Server, event: string | symbol, first?: unknown, second?: unknown): boolean {
      const { beginning } = reception
      if (beginning !== undefined && event !== 'connection' && !reception.mayBegin(beginning)) return true
      reception.note(event, first, second)
      // A request is what a worker sees most, and two values need no array.
      if (event === 'request') return emit.call(this, event, first, second)
      // biome-ignore lint/complexity/noArguments: any event with any number of values
      return Reflect.apply(emit, this, arguments)
    } as typeof server.emit
  }

  private note(event: string | symbol, first: unknown, second: unknown): void {
    switch (event) {
      case 'request':
      case 'checkContinue':
      case 'checkExpectation':
        this.inFlight.beginRequest(second as ServerResponse)
        this.cookies?.prepare(first as IncomingMessage, second as ServerResponse)
        if (this.draining) (second as ServerResponse).shouldKeepAlive = false
        break
      case 'upgrade':
      case 'connect':
        this.inFlight.beginUpgrade(second as Socket)
    }
  }
}
