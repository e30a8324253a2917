// Everything that other packages may import from handoff.

export { adoptDescriptor, publishConnections, tagOf } from './adopt.ts'
export type { Channel, ChannelListener, Connection } from './channel.ts'
export { type Arrival, Door, type DoorCounts, type DoorOptions } from './door.ts'
export { type BoundListener, type ListenerAddress, listen } from './listener.ts'
export type { LoadReport, LoadRow } from './load-board.ts'
export { type BeginningRequest, canonicalHead, carriedBy, endOf } from './movable.ts'
export { hasNative } from './native.ts'
export { type ChannelEnds, NativeChannel } from './native-channel.ts'
export { lookAtClock, NativeLoadRow, rowWords } from './native-load-row.ts'
export { Outbox } from './outbox.ts'
export { loopIsBusy, loopStaysBusy, Offer, type OfferListener, receiveOffers } from './receiver.ts'
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
export { ToldSeats, tellSeats } from './seats.ts'
export { isHeadComplete, listenerOf, packTag } from './tag.ts'
