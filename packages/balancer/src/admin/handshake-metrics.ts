// Metrics of TLS handshakes, by pool. Pools without one have no rows.

import { handshakeFailures } from '@switchyard/worker-runtime'
import type { HandshakeStatus } from '../status.ts'
import { counter, type MetricDefinition } from './metric-definition.ts'

export const handshakeMetrics: readonly MetricDefinition[] = [
  counter(
    'switchyard_tls_handshakes_total',
    'TLS handshakes that have ended, by outcome: full, resumed or failed',
    ['pool', 'outcome'],
    ({ handshakes }) =>
      handshakes.flatMap((status) => {
        const { full, resumed } = status.outcomes
        return Object.entries({ full, resumed, failed: failed(status) }).map(([outcome, value]) => ({
          labels: { pool: status.pool, outcome },
          value,
        }))
      }),
  ),
  counter('switchyard_tls_handshake_failures_total', 'Of these, the failed ones by reason', ['pool', 'reason'], ({ handshakes }) =>
    handshakes.flatMap(({ pool, outcomes }) => handshakeFailures.map((reason) => ({ labels: { pool, reason }, value: outcomes[reason] }))),
  ),
]

function failed({ outcomes }: HandshakeStatus): number {
  return handshakeFailures.reduce((sum, reason) => sum + outcomes[reason], 0)
}
