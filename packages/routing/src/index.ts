// The public interface of routing, for other packages and for configs.

export { clientAddress, trustedPeer, trustedProxyFault } from './client-address.ts'
export { type DataScope, policyFromData, policyNamed, policyNames } from './from-data.ts'
export { type ClientHello, dnsName, type HelloReading, readClientHello, TICKET_NAME_BYTES } from './head/client-hello.ts'
export { beginsHttp2, beginsTls, type ListenerProtocol, listenerProtocols, mayBeSpoken, speaksHttp2 } from './head/first-bytes.ts'
export { type HeadFault, headFault } from './head/head-fault.ts'
export { protocolFault, serverNameFault } from './head/hello-test.ts'
export { helloIn, helloText, helloWith } from './head/hello-text.ts'
export { type ListenerAddress, listenerTest, listenerText, readListener } from './head/listener-address.ts'
export { type HeadOutcome, type HeadParts, type HeadProtocol, RequestHead } from './head/request-head.ts'
export { beginsSession } from './head/session-begin.ts'
export { KeyHasher } from './key-hasher.ts'
export { cookie, header, type KeySource, keySource, MAX_KEY_LENGTH, type PolicyKeyFunction, pathSegment, query } from './keys.ts'
export { idleLoad, type Load } from './load.ts'
export { patternFault } from './path-pattern.ts'
export { leastBusy } from './policies/least-busy.ts'
export { leastInFlight } from './policies/least-in-flight.ts'
export { roundRobin } from './policies/round-robin.ts'
export { preferResumed } from './policies/sticky/resumed-session.ts'
export { cookieNameForm, hash, learn, type StickyOptions, sticky, ticket } from './policies/sticky/sticky.ts'
export type { ByHash, ByLearning, ByTicket, StickyBy } from './policies/sticky/sticky-by.ts'
export { ticketSettings } from './policies/sticky/sticky-ticket.ts'
export { type SlowStart, slowStartShare } from './policies/weight.ts'
export {
  bindPolicy,
  type Candidate,
  fromFunction,
  type Home,
  type Policy,
  type PolicyContext,
  type PolicyErrorListener,
  type PolicyFunction,
  type PolicyKey,
  previewOf,
  type StickyOutcome,
  stickyOutcomes,
} from './policy.ts'
export type {
  ClientAddressOptions,
  KeyData,
  LeastBusyData,
  LeastBusyOptions,
  PolicyData,
  PolicyName,
  StickyData,
  TicketOptions,
} from './policy-data.ts'
export { type Route, type RouteData, type RouteExplanation, type RouteMatch, RouteTable, routeName } from './routes.ts'
export { issueSessionId, type Seat, type TicketContents, type TicketKey, TicketSeal, ticketOf } from './ticket.ts'
export {
  NAME_NONCE_BYTES,
  NAME_SECRET_BYTES,
  type TicketHome,
  type TicketHomes,
  type TlsTicketName,
  TlsTicketNames,
} from './tls-ticket-name.ts'
export { VISITOR_KEY_LENGTH, type VisitorSlots, valueGiven, visitorKey } from './visitors.ts'
