// Metrics of requests by route. The routes of the config bound the label, whatever paths clients send.

import { responseBoundsMs } from '@switchyard/handoff'
import type { RouteExemplarTable } from '../counts/route-exemplar-table.ts'
import { counter, gauge, type MetricDefinition } from './metric-definition.ts'

export function routeMetrics(exemplars?: RouteExemplarTable): MetricDefinition[] {
  return [
    counter(
      'switchyard_requests_total',
      'Requests that workers have had, by route and class of the status; upgrade: another protocol; aborted: not answered to the end',
      ['route', 'code'],
      ({ routes }) =>
        routes.flatMap(({ route, results }) => Object.entries(results).map(([code, value]) => ({ labels: { route, code }, value }))),
    ),
    gauge('switchyard_requests_in_flight', 'Requests that workers have started and not finished, by route', ['route'], ({ routes }) =>
      routes.map(({ route, inFlight }) => ({ labels: { route }, value: inFlight })),
    ),
    {
      name: 'switchyard_request_duration_seconds',
      help: 'Duration of answered requests in the worker, from their head until the response is written',
      type: 'histogram',
      labels: ['route'],
      buckets: responseBoundsMs.map((ms) => ms / 1000),
      read: ({ routes }) =>
        routes.map(({ route, durations }) => ({
          labels: { route },
          counts: durations.counts,
          sum: durations.sumMs / 1000,
          exemplars: exemplars?.of(route),
        })),
    },
  ]
}
