// Everything that other packages may import from handoff.

export { Acceptor, countAsRead, tagOf } from './acceptor.ts'
export type { Channel, ChannelListener, Connection } from './channel.ts'
export { ControlPipe } from './control-pipe.ts'
export { type DescribedListener, describeListener } from './described-listener.ts'
export type { Arrival, Door, DoorCounts, DoorOptions, HeadBounds, LetGoListener } from './door.ts'
export { type ChannelEnds, type ChannelKind, FIRST_END_FD } from './ends.ts'
export { guardFirstRequest } from './first-request.ts'
export type { Transport, WorkerLink } from './link.ts'
export { errnoOf, hookListen, type ListenHook, type ListenOutcome, type ListenWish, type SharedSocket, setAddress } from './listen-hook.ts'
export { type BoundAddress, type BoundListener, type InheritedListener, isAbstract, type ListenerAddress } from './listener.ts'
export type { LoadReport, LoadRow } from './load-board.ts'
export { type LoadDetails, type ResponseTimes, responseBoundsMs } from './load-details.ts'
export { type BeginningRequest, canonicalHead, carriedBy, endOf, isMoreBehind } from './movable.ts'
export { hasNative } from './native.ts'
export { nativeTransport } from './native-link.ts'
export { lookAtClock, MAX_WORD, NativeLoadRow, rowWords } from './native-load-row.ts'
export { openWorkerEnd } from './open-end.ts'
export { hasZombie, reap, sendDatagram } from './own-process.ts'
export { challengesConnection, ownStateOf } from './own-state.ts'
export { newOwners, type Owner, type Owners } from './owners.ts'
export type { Passage, PassageListener, Passages, Passed } from './passage.ts'
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
export { closeListeningSocket, listeningDescriptor, publishConnections } from './server-fields.ts'
export { isHeadComplete, listenerOf, packTag } from './tag.ts'
export type { Offer, OfferListener, Outbox, WorkerEnd } from './worker-end.ts'
export { readWorkerIpc, type WorkerIpc } from './worker-ipc.ts'
