// What other packages may import from handoff.

export type {
  Acceptor,
  AcceptorCounts,
  AcceptorListener,
  AcceptorOptions,
  Arrival,
  ArrivalSource,
  BadHead,
  HandOverListener,
  HeadBounds,
} from './acceptor/acceptor.ts'
export { type DescribedListener, describeListener } from './acceptor/described-listener.ts'
export {
  type BoundListener,
  type InheritedListener,
  isAbstract,
  type ListenerAddress,
  type ProxyProtocolOptions,
} from './acceptor/listener.ts'
export { type ProxyHeaderFault, type RefusalReason, refusals } from './acceptor/refusal.ts'
export type { Channel, ChannelListener, Connection } from './channel.ts'
export { type ChannelEnds, type ChannelKind, FIRST_END_FD } from './channel-ends.ts'
export type { LoadReport, LoadRow } from './load/load-board.ts'
export { type LoadDetails, type ResponseTimes, responseBoundsMs } from './load/load-details.ts'
export { ReadySlots } from './load/ready-slots.ts'
export {
  MAX_COUNTED_ROUTES,
  newRouteCounters,
  packRouteCounters,
  type RequestResult,
  ROUTE_COLUMNS,
  requestResults,
  routeColumns,
  routeCountersOf,
  routeRow,
} from './load/route-counters.ts'
export { MAX_WORD, rowWords } from './load/shared-page.ts'
export { elapsedMs, monotonicUs } from './monotonic.ts'
export { nativeTransport } from './native/native-link.ts'
export { NativeLoadRow, readClock } from './native/native-load-row.ts'
export { hasZombie, reap, sendDatagram } from './native/process-calls.ts'
export { mapMemory, type SharedMemory, shareMemory } from './native/shared-memory.ts'
export { hasNative, NativeMissing, nativeFault, platformPackage } from './native-module.ts'
export { carrierOf, setCarrier } from './node-internals/carrier.ts'
export {
  beginsWithHttp2,
  ConnectionInjector,
  countAsRead,
  type HandOffFacts,
  handedSocket,
  proxiedOf,
  setProxied,
  tagOf,
  tagUnderTls,
  takeHandOff,
  takeTag,
} from './node-internals/connection-injector.ts'
export { guardFirstRequest } from './node-internals/first-request.ts'
export { holdReads } from './node-internals/held-reads.ts'
export { connectionOf } from './node-internals/http2-connection.ts'
export {
  type BoundAddress,
  errnoOf,
  hookListen,
  type ListenHook,
  type ListenOutcome,
  type ListenRequest,
  type SharedSocket,
  setAddress,
} from './node-internals/listen-override.ts'
export { canonicalHead, carriedBy, endOf, hasMoreBehind, type StartingRequest } from './node-internals/movable.ts'
export {
  canListIdleConnections,
  connectionCountOf,
  httpConnectionsOf,
  idleConnectionsOf,
  responseOn,
} from './node-internals/server-connections.ts'
export { closeListeningSocket, listeningDescriptor, publishConnections } from './node-internals/server-fields.ts'
export { challengesConnection, headLengthOf, ownStateOf, peerAddressOf, sentBytesOf, socketUnder } from './node-internals/socket-state.ts'
export {
  setFixedTicketKeys,
  type TlsTicketKeys,
  type TlsTicketSource,
  useTicketKeys,
  watchTicketKeys,
} from './node-internals/ticket-keys.ts'
export { readWorkerIpc, type WorkerIpc } from './node-internals/worker-ipc.ts'
export { openWorkerEnd } from './open-worker-end.ts'
export { newOwners, type Owner, type Owners } from './owners.ts'
export type { Passage, PassageListener, Passages, Passed } from './passage.ts'
export { ControlPipe } from './pipes/control-pipe.ts'
export { portableTransport } from './portable/portable-link.ts'
export { MAX_PROXY_HEADER_BYTES, PROXY_SIGNATURE, ProxiedClient, readTlvs } from './proxied-client.ts'
export {
  type ForwardReason,
  forwardReasons,
  type GiveBackReason,
  giveBackReasons,
  HERE,
  LATER,
  NO_WORKER,
  packRest,
  type Question,
  unpackRest,
  type Verdict,
} from './returns.ts'
export { isHeadComplete, isMoved, listenerOf, packTag, waitOf, withMoved, withWait } from './tag.ts'
export type { Offer, OfferListener, Outbox, WorkerEnd } from './worker-end.ts'
export type { Transport, WorkerLink } from './worker-link.ts'
