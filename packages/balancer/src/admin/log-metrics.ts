// Metrics of the log, of the workers' log files and of the access log: what was written, and what was lost.

import { counter, gauge, type MetricDefinition, only } from './metric-definition.ts'

export const logMetrics: MetricDefinition[] = [
  counter('switchyard_log_lines_total', 'Lines of the log and of the workers that were written to files or to a pipe', [], ({ log }) =>
    log === null ? [] : only(log.written),
  ),
  counter('switchyard_log_lines_dropped_total', 'Lines that could not be written, and are lost', [], ({ log }) =>
    log === null ? [] : only(log.dropped),
  ),
  gauge('switchyard_log_writable', '1 while lines can be written', [], ({ log }) =>
    log === null ? [] : only(log.failure === null ? 1 : 0),
  ),
  counter('switchyard_access_log_lines_total', 'Lines of the access log that were written', [], ({ accessLog }) =>
    accessLog === null ? [] : only(accessLog.written),
  ),
  counter(
    'switchyard_access_log_lines_dropped_total',
    'Lines of the access log that could not be sent or written, and are lost',
    [],
    ({ accessLog }) => (accessLog === null ? [] : only(accessLog.dropped)),
  ),
]
