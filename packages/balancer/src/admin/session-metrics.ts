// Metrics of learned visitors and of sessions: what the primary keeps, and how workers use the session store.

import type { PoolStatus } from '../status.ts'
import {
  byKey,
  counter,
  gauge,
  type MetricDefinition,
  only,
  perSlot,
  perSlotTotal,
  presentSlots,
  type Row,
  sum,
} from './metric-definition.ts'
import type { SlotTotals } from './slot-totals.ts'

export function sessionMetrics(totals: SlotTotals): MetricDefinition[] {
  return [
    gauge('switchyard_learned_visitors', "Visitors known by a cookie of the app's own", [], ({ visitors }) => only(visitors.kept)),
    counter('switchyard_learned_total', 'Visitors that workers reported for the first time', [], ({ visitors }) => only(visitors.learned)),
    counter(
      'switchyard_learned_moved_total',
      'Visitors that got their cookie again from another worker, because their slot had no worker',
      [],
      ({ visitors }) => only(visitors.moved),
    ),
    counter(
      'switchyard_learned_forgotten_total',
      'Visitors that were forgotten, by reason',
      ['reason'],
      ({ visitors: { evicted, expired } }) => byKey('reason', { evicted, expired }),
    ),
    gauge('switchyard_sessions', 'Sessions in the memory of the primary', [], ({ sessions }) =>
      sessions === null ? [] : only(sessions.kept),
    ),
    gauge('switchyard_sessions_bytes', 'Size of these sessions in bytes', [], ({ sessions }) =>
      sessions === null ? [] : only(sessions.bytes),
    ),
    gauge(
      'switchyard_sessions_tombstones',
      'Sessions destroyed a short while ago, which can not be written any more',
      [],
      ({ sessions }) => (sessions === null ? [] : only(sessions.tombstones)),
    ),
    counter(
      'switchyard_sessions_forgotten_total',
      'Sessions removed from the memory of the primary, by reason',
      ['reason'],
      ({ sessions }) =>
        sessions === null
          ? []
          : byKey('reason', { evicted: sessions.evicted, expired: sessions.expired, 'tombstone-evicted': sessions.tombstonesDropped }),
    ),
    gauge(
      'switchyard_session_store_up',
      '1 while the workers of the slot use the session store, 0 while they do not because it does not answer',
      ['pool', 'slot', 'kind'],
      ({ pools }) => pools.flatMap(storeRows),
    ),
    perSlotTotal(
      'switchyard_session_commands_total',
      'Commands that workers of the slot sent to the session store',
      totals,
      (total) => total.sessionCommands,
    ),
    perSlotTotal(
      'switchyard_session_commands_failed_total',
      'Of these commands, those that failed',
      totals,
      (total) => total.sessionCommandsFailed,
    ),
    perSlotTotal(
      'switchyard_session_command_seconds_total',
      'Total duration of these commands',
      totals,
      (total) => total.sessionCommandsMs / 1000,
    ),
    perSlotTotal(
      'switchyard_session_near_hits_total',
      'Session reads that workers answered from their near cache',
      totals,
      (total) => total.nearHits,
    ),
    perSlotTotal(
      'switchyard_session_near_misses_total',
      'Session reads that needed the session store',
      totals,
      (total) => total.nearMisses,
    ),
    perSlot(
      'switchyard_session_near_entries',
      'Sessions in the near cache of the worker',
      sum,
      ({ sessions }) => sessions?.nearEntries ?? 0,
    ),
  ]
}

/** A store counts as down if one of two processes in the slot reports it down. */
function storeRows({ name, workers }: PoolStatus): Row[] {
  return presentSlots(workers).flatMap(([slot, present]) => {
    const reports = present.flatMap(({ sessions }) => (sessions === null ? [] : [sessions]))
    const kinds = [...new Set(reports.map(({ kind }) => kind))]
    return kinds.map((kind) => ({
      labels: { pool: name, slot, kind },
      value: reports.some((report) => report.kind === kind && report.state === 'down') ? 0 : 1,
    }))
  })
}
