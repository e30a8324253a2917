// Metrics of the primary's connections: accepted, refused, handed off and moved.

import type { MoveStatus } from '../status.ts'
import { byKey, type MetricDefinition, only, type Row } from './metric-definition.ts'

export const connectionMetrics: readonly MetricDefinition[] = [
  {
    name: 'switchyard_info',
    help: 'Always 1; the label tells how connections are handed to workers',
    type: 'gauge',
    labels: ['channel'],
    read: ({ channel }) => [{ labels: { channel }, value: 1 }],
  },
  {
    name: 'switchyard_connections_accepted_total',
    help: 'Connections accepted',
    type: 'counter',
    read: ({ connections }) => only(connections.accepted),
  },
  {
    name: 'switchyard_connections_handed_off_total',
    help: 'Connections handed off and claimed by a worker',
    type: 'counter',
    read: ({ connections }) => only(connections.handedOff),
  },
  {
    name: 'switchyard_connections_refused_total',
    help: 'Connections that the primary refused with a 4xx or 503 answer',
    type: 'counter',
    labels: ['reason'],
    read: ({ connections }) => byKey('reason', connections.refused),
  },
  {
    name: 'switchyard_connections_closed_total',
    help: 'Connections that closed before a worker claimed them',
    type: 'counter',
    read: ({ connections }) => only(connections.closed),
  },
  {
    name: 'switchyard_hand_offs_taken_back_total',
    help: 'Hand-offs recalled from a worker that died or hung before it claimed them',
    type: 'counter',
    read: ({ handOffs }) => only(handOffs.takenBack),
  },
  {
    name: 'switchyard_connections_given_back_total',
    help: 'Connections that a worker gave back because their next request belongs elsewhere',
    type: 'counter',
    labels: ['route', 'reason'],
    read: ({ moves }) => moves.givenBack.map(moveRow),
  },
  {
    name: 'switchyard_requests_forwarded_total',
    help: 'Requests forwarded to another worker because their connection could not move',
    type: 'counter',
    labels: ['route', 'reason'],
    read: ({ moves }) => moves.forwarded.map(moveRow),
  },
  {
    name: 'switchyard_descriptors',
    help: 'Connections held by the primary, by state',
    type: 'gauge',
    labels: ['state'],
    read: ({ connections }) => byKey('state', connections.waiting),
  },
  {
    name: 'switchyard_accepting',
    help: '1 while connections are accepted',
    type: 'gauge',
    read: ({ accepting }) => only(accepting ? 1 : 0),
  },
  {
    name: 'switchyard_listener',
    help: 'Always 1; the label is an address on which the primary listens',
    type: 'gauge',
    labels: ['address'],
    read: ({ addresses }) => addresses.map((address) => ({ labels: { address }, value: 1 })),
  },
]

function moveRow({ route, reason, count }: MoveStatus<string>): Row {
  return { labels: { route, reason }, value: count }
}
