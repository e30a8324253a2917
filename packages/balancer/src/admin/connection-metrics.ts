// Metrics of the primary's connections: accepted, refused, handed off and moved.

import type { MoveStatus } from '../status.ts'
import { byKey, counter, gauge, type MetricDefinition, only, type Row } from './metric-definition.ts'

export const connectionMetrics: readonly MetricDefinition[] = [
  gauge('switchyard_info', 'Always 1; the label tells how connections are handed to workers', ['channel'], ({ channel }) => [
    { labels: { channel }, value: 1 },
  ]),
  counter('switchyard_connections_accepted_total', 'Connections accepted', [], ({ connections }) => only(connections.accepted)),
  counter('switchyard_connections_handed_off_total', 'Connections handed off and claimed by a worker', [], ({ connections }) =>
    only(connections.handedOff),
  ),
  counter(
    'switchyard_connections_refused_total',
    'Connections that the primary refused with a 4xx or 503 answer',
    ['reason'],
    ({ connections }) => byKey('reason', connections.refused),
  ),
  counter('switchyard_connections_answered_total', 'Health checks that the primary answered on a listener', [], ({ connections }) =>
    only(connections.answered),
  ),
  counter('switchyard_connections_closed_total', 'Connections that closed before a worker claimed them', [], ({ connections }) =>
    only(connections.closed),
  ),
  counter(
    'switchyard_hand_offs_taken_back_total',
    'Hand-offs recalled from a worker that died or hung before it claimed them',
    [],
    ({ handOffs }) => only(handOffs.takenBack),
  ),
  counter(
    'switchyard_connections_given_back_total',
    'Connections that a worker gave back because their next request belongs elsewhere',
    ['route', 'reason'],
    ({ moves }) => moves.givenBack.map(moveRow),
  ),
  counter(
    'switchyard_requests_forwarded_total',
    'Requests forwarded to another worker because their connection could not move',
    ['route', 'reason'],
    ({ moves }) => moves.forwarded.map(moveRow),
  ),
  gauge('switchyard_descriptors', 'Connections held by the primary, by state', ['state'], ({ connections }) =>
    byKey('state', connections.waiting),
  ),
  gauge('switchyard_accepting', '1 while connections are accepted', [], ({ accepting }) => only(accepting ? 1 : 0)),
  gauge('switchyard_listener', 'Always 1; the label is an address on which the primary listens', ['address'], ({ addresses }) =>
    addresses.map((address) => ({ labels: { address }, value: 1 })),
  ),
]

function moveRow({ route, reason, count }: MoveStatus<string>): Row {
  return { labels: { route, reason }, value: count }
}
