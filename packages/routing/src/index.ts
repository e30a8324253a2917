// Everything that other packages and configs may import from routing.

export { beginsSession } from './head/begins-session.ts'
export { type ClientAddressOptions, clientAddress, trustedPeer, trustedProxyFault } from './head/client-address.ts'
export { type HeadOutcome, type HeadParts, type HeadProtocol, RequestHead } from './head/request-head.ts'
export { cookie, header, type KeySource, keySource, MAX_KEY_LENGTH, type PolicyKeyFunction, pathSegment, query } from './keys.ts'
export { idleLoad, type Load } from './load.ts'
export { patternFault } from './path-pattern.ts'
export { type DataScope, policyFromData } from './policies/from-data.ts'
export { type LeastBusyOptions, leastBusy } from './policies/least-busy.ts'
export { leastInFlight } from './policies/least-in-flight.ts'
export { policyNamed, policyNames } from './policies/named.ts'
export type { KeyData, LeastBusyData, PolicyData, PolicyName, StickyData } from './policies/policy-data.ts'
export { roundRobin } from './policies/round-robin.ts'
export { type SlowStart, slowStartShare } from './policies/slow-start.ts'
export { cookieNameForm, hash, learn, type StickyOptions, sticky, ticket } from './policies/sticky/sticky.ts'
export type { ByHash, ByLearning, ByTicket, StickyBy } from './policies/sticky/sticky-by.ts'
export { type TicketOptions, ticketSettings } from './policies/sticky/ticket-options.ts'
export {
  bindPolicy,
  type Candidate,
  fromFunction,
  type Home,
  type Policy,
  type PolicyContext,
  type PolicyErrorListener,
  type PolicyFunction,
} from './policy.ts'
export { type Route, type RouteData, type RouteExplanation, type RouteMatch, RouteTable, routeName } from './routes.ts'
export { issueSessionId, type Seat, type TicketContents, type TicketKey, TicketSeal, ticketOf } from './ticket.ts'
export { VISITOR_KEY_LENGTH, type VisitorSlots, valueGiven, visitorKey } from './visitors.ts'
