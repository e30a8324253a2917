// What goes over the control socket, as both of its ends see it: HTTP/1.1 with JSON. `GET /status` and `GET /logs` tell; `POST /<operation>` does, and answers
// with one JSON object a line (NDJSON): progress, and as the last how it ended.

import type { OperationResult, ScaleChange } from '../operations.ts'
import type { BalancerStatus } from '../status.ts'

/** Who answers, and everything that can be told of this moment. */
export interface ControlStatus extends BalancerStatus {
  name: string
  pid: number
  version: string
  upMs: number
}

/** What each operation is told. A pool left out: every pool for `reload`, the first for `drain` and `restart`, the only one for `scale`. */
export interface OperationBodies {
  reload: { pool?: string | undefined }
  rollback: Record<never, never>
  scale: { pool?: string | undefined } & ScaleChange
  drain: { pool?: string | undefined; slot: number }
  restart: { pool?: string | undefined; slot: number }
  upgrade: Record<never, never>
  stop: { now?: boolean | undefined }
}

export type OperationName = keyof OperationBodies

/** Something that happened, what is waited for just now, or what a new worker printed on stderr before the operation failed. */
export interface Progress {
  kind: 'event' | 'waiting' | 'output'
  message: string
  pool?: string | undefined
  slot?: number | undefined
}

/** An error without a code is one that nobody foresaw. */
export interface ControlError {
  code?: string | undefined
  message: string
  source?: 'config' | 'app' | 'system' | undefined
  retryable?: boolean | undefined
}

export type OperationLine = { progress: Progress } | { result: OperationResult } | { error: ControlError }

/** A line of the log, or of what a worker printed: then it has `stream`. Other fields are those of the JSON log. */
export interface LogEntry {
  readonly time: number
  /** As pino counts: 30 is info. */
  readonly level: number
  readonly msg: string
  readonly pool?: string | undefined
  readonly slot?: number | undefined
  readonly stream?: 'stdout' | 'stderr' | undefined
  readonly [field: string]: unknown
}

/** `lost`: so many lines came while the reader was too slow. */
export type LogLine = { line: LogEntry } | { lost: number }

export interface LogQuery {
  lines: number
  follow?: boolean | undefined
  pool?: string | undefined
  slot?: number | undefined
}
