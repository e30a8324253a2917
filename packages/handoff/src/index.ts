// Everything that other packages may import from handoff.

export { adoptDescriptor } from './adopt.ts'
export type { Channel } from './channel.ts'
export { type Arrival, Door, type DoorCounts, type DoorOptions } from './door.ts'
export { type BoundListener, type ListenerAddress, listen } from './listener.ts'
export { type LoadReport, LoadRow, rowWords } from './load-board.ts'
export { hasNative } from './native.ts'
export { type ChannelEnds, NativeChannel } from './native-channel.ts'
export { Offer, receiveOffers } from './receiver.ts'
export { type RefusalReason, refusals } from './refusal.ts'
export { isHeadComplete, listenerOf, packTag } from './tag.ts'
