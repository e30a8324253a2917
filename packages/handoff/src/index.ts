// Everything that other packages may import from handoff.

export { publishConnections, tagOf } from './adopt.ts'
export type { Channel, ChannelListener, Connection } from './channel.ts'
export type { ControlPipe } from './control-pipe.ts'
export type { Arrival, Door, DoorCounts, DoorOptions } from './door.ts'
export type { ChannelEnds, ChannelKind } from './ends.ts'
export type { Transport, WorkerLink } from './link.ts'
export type { BoundListener, ListenerAddress } from './listener.ts'
export type { LoadReport, LoadRow } from './load-board.ts'
export { type LoadDetails, type ResponseTimes, responseBoundsMs } from './load-details.ts'
export { type BeginningRequest, canonicalHead, carriedBy, endOf, isMoreBehind } from './movable.ts'
export { hasNative } from './native.ts'
export { nativeTransport } from './native-link.ts'
export { lookAtClock, NativeLoadRow, rowWords } from './native-load-row.ts'
export { openWorkerEnd } from './open-end.ts'
export { portableTransport } from './portable-link.ts'
export { type RefusalReason, refusals } from './refusal.ts'
export {
  type ForwardReason,
  forwardReasons,
  type GiveBackReason,
  giveBackReasons,
  HERE,
  LATER,
  NOBODY,
  packRest,
  type Question,
  unpackRest,
  type Verdict,
} from './returns.ts'
export { ToldSeats } from './seats.ts'
export { connectionCountOf, httpConnectionsOf, idleConnectionsOf, responseOn, tellsIdleConnections } from './server-connections.ts'
export { isHeadComplete, listenerOf, packTag } from './tag.ts'
export type { Offer, OfferListener, Outbox, WorkerEnd } from './worker-end.ts'
