// Everything that other packages may import from handoff.

export { ConnectionInjector, countAsRead, tagOf } from './node-internals/connection-injector.ts'
export type { Channel, ChannelListener, Connection } from './channel.ts'
export { ControlPipe } from './pipes/control-pipe.ts'
export { type DescribedListener, describeListener } from './acceptor/described-listener.ts'
export type { Arrival, Acceptor, AcceptorCounts, AcceptorOptions, HeadBounds, LetGoListener } from './acceptor/acceptor.ts'
export { type ChannelEnds, type ChannelKind, FIRST_END_FD } from './channel-ends.ts'
export { guardFirstRequest } from './node-internals/first-request.ts'
export type { Transport, WorkerLink } from './worker-link.ts'
export { errnoOf, hookListen, type ListenHook, type ListenOutcome, type ListenWish, type SharedSocket, setAddress } from './node-internals/listen-override.ts'
export { type BoundAddress, type BoundListener, type InheritedListener, isAbstract, type ListenerAddress } from './acceptor/listener.ts'
export type { LoadReport, LoadRow } from './load/load-board.ts'
export { type LoadDetails, type ResponseTimes, responseBoundsMs } from './load/load-details.ts'
export { type BeginningRequest, canonicalHead, carriedBy, endOf, isMoreBehind } from './node-internals/movable.ts'
export { hasNative } from './native-module.ts'
export { nativeTransport } from './native/native-link.ts'
export { readClock, MAX_WORD, NativeLoadRow, rowWords } from './native/native-load-row.ts'
export { openWorkerEnd } from './open-worker-end.ts'
export { hasZombie, reap, sendDatagram } from './native/process-calls.ts'
export { challengesConnection, ownStateOf } from './node-internals/socket-state.ts'
export { newOwners, type Owner, type Owners } from './owners.ts'
export type { Passage, PassageListener, Passages, Passed } from './passage.ts'
export { portableTransport } from './portable/portable-link.ts'
export { type RefusalReason, refusals } from './acceptor/refusal.ts'
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
export { ReadySlots } from './load/ready-slots.ts'
export { connectionCountOf, httpConnectionsOf, idleConnectionsOf, responseOn, tellsIdleConnections } from './node-internals/server-connections.ts'
export { closeListeningSocket, listeningDescriptor, publishConnections } from './node-internals/server-fields.ts'
export { isHeadComplete, listenerOf, packTag } from './tag.ts'
export type { Offer, OfferListener, Outbox, WorkerEnd } from './worker-end.ts'
export { readWorkerIpc, type WorkerIpc } from './node-internals/worker-ipc.ts'
