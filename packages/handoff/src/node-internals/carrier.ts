// Sockets that stand for one stream of a connection, such as a stream of HTTP/2: what is known of the connection holds for them too.

import type { Socket } from 'node:net'

const carrierKey = Symbol('switchyard.carrier')
/** A socket without the property takes a search through all its prototypes, which most processes need not make. */
let hasCarriers = false

interface CarriedSocket extends Socket {
  [carrierKey]?: Socket
}

/** From now on `socket` stands for a stream of the connection `carrier`. */
export function setCarrier(socket: Socket, carrier: Socket): void {
  hasCarriers = true
  ;(socket as CarriedSocket)[carrierKey] = carrier
}

/** The connection whose stream a socket stands for; undefined: the socket is a connection of its own. */
export function carrierOf(socket: Socket): Socket | undefined {
  return hasCarriers ? (socket as CarriedSocket)[carrierKey] : undefined
}
