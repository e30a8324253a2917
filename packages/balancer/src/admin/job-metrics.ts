// Metrics of pools with a schedule: their one-off processes, and when the next one starts.

import type { JobStatus, PoolStatus } from '../status.ts'
import { counter, gauge, type MetricDefinition, type Row } from './metric-definition.ts'

export const jobMetrics: readonly MetricDefinition[] = [
  counter(
    'switchyard_job_runs_total',
    'One-off processes that a schedule has started',
    ['pool'],
    rows(({ runs }) => runs),
  ),
  counter(
    'switchyard_job_failed_total',
    'Of these, those that failed or were never started',
    ['pool'],
    rows(({ failed }) => failed),
  ),
  counter(
    'switchyard_job_skipped_total',
    'Times of a schedule at which no process was started',
    ['pool'],
    rows(({ skipped }) => skipped),
  ),
  gauge(
    'switchyard_job_running',
    'One-off processes that run now',
    ['pool'],
    rows(({ running }) => running),
  ),
  gauge(
    'switchyard_job_next_start_timestamp_seconds',
    'When the schedule starts the next process, in seconds since 1970',
    ['pool'],
    rows(({ nextStartMs }) => seconds(nextStartMs)),
  ),
  gauge(
    'switchyard_job_last_end_timestamp_seconds',
    'When the last process ended, in seconds since 1970',
    ['pool'],
    rows(({ last }) => seconds(last?.endedMs)),
  ),
  gauge(
    'switchyard_job_last_duration_seconds',
    'How long the last process ran',
    ['pool'],
    rows(({ last }) => (last === null ? undefined : (last.endedMs - last.startedMs) / 1000)),
  ),
  gauge(
    'switchyard_job_last_success',
    '1: the last process ended with code 0 or one of stopExitCodes',
    ['pool'],
    rows(({ last }) => (last === null ? undefined : Number(last.isGood))),
  ),
]

/** One row for each pool with a schedule and a value. */
function rows(read: (job: JobStatus) => number | undefined): (status: { pools: readonly PoolStatus[] }) => Row[] {
  return ({ pools }) =>
    pools.flatMap(({ name, job }) => {
      const value = job === null ? undefined : read(job)
      return value === undefined ? [] : [{ labels: { pool: name }, value }]
    })
}

function seconds(ms: number | null | undefined): number | undefined {
  return ms == null ? undefined : ms / 1000
}
