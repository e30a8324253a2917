// The protocol of the control socket: HTTP/1.1 with JSON. `GET /status`, `GET /logs` and others read. `POST /<operation>` runs an operation and answers
// with one JSON object per line (NDJSON): its progress, and last its result or error.

import type { Decision } from '../decisions/decision.ts'
import type { OperationResult, ScaleChange } from '../operations.ts'
import type { BalancerStatus, PoolStatus, WorkerStatus } from '../status.ts'

/** The status, with the identity of the primary that answers. */
export interface ControlStatus extends BalancerStatus {
  name: string
  pid: number
  version: string
  upMs: number
}

/** A pool as the client receives it. A running balancer may be older than the command, and then these fields are missing. */
export type PoolReport = Omit<
  PoolStatus,
  'workers' | 'outageMs' | 'notStarted' | 'job' | 'restartsAtMs' | 'finished' | 'listens' | 'queue' | 'servers'
> & {
  job?: PoolStatus['job'] | undefined
  restartsAtMs?: number | null | undefined
  finished?: number[] | undefined
  listens?: boolean | undefined
  generation?: number | undefined
  held?: number[] | undefined
  broken?: number[] | undefined
  outageMs?: PoolStatus['outageMs'] | undefined
  notStarted?: PoolStatus['notStarted'] | undefined
  queue?: PoolStatus['queue'] | undefined
  servers?: PoolStatus['servers'] | undefined
  workers: WorkerReport[]
}

/** A worker as the client receives it, like `PoolReport`. */
export type WorkerReport = WorkerStatus & {
  retiring?: string | null | undefined
  ejected?: boolean | undefined
  inStateMs?: number | undefined
  drainLeftMs?: number | null | undefined
  silentMs?: number | undefined
}

/**
 * The body of each operation. `pool` left out: every pool for `reload`, the first for `drain` and `restart`, the only one for `scale`. `proxy`: the proxy
 * worker of an upstream pool, whose slots are its servers.
 */
export interface OperationBodies {
  reload: { pool?: string | undefined }
  rollback: Record<never, never>
  scale: { pool?: string | undefined } & ScaleChange
  drain: { pool?: string | undefined; slot: number; proxy?: boolean | undefined }
  restart: { pool?: string | undefined; slot: number; proxy?: boolean | undefined }
  upgrade: Record<never, never>
  stop: { now?: boolean | undefined }
}

export type OperationName = keyof OperationBodies

/** An event, what the operation waits for, or a line that a new worker printed on stderr before the operation failed. */
export interface Progress {
  kind: 'event' | 'waiting' | 'output'
  message: string
  pool?: string | undefined
  slot?: number | undefined
  /** The slot is that of a proxy worker. */
  proxy?: boolean | undefined
}

/** An error without a code is a bug or an unexpected failure of the system. */
export interface ControlError {
  code?: string | undefined
  message: string
  source?: 'config' | 'app' | 'system' | undefined
  retryable?: boolean | undefined
}

export type OperationLine = { progress: Progress } | { result: OperationResult } | { error: ControlError }

/** A line of the log, or with `stream` a line that a worker printed. Other fields are those of the JSON log. */
export interface LogEntry {
  readonly time: number
  /** Level of pino: 30 is info. */
  readonly level: number
  readonly msg: string
  readonly pool?: string | undefined
  readonly slot?: number | undefined
  /** The worker passes requests to upstream servers. */
  readonly proxy?: boolean | undefined
  readonly stream?: 'stdout' | 'stderr' | undefined
  readonly [field: string]: unknown
}

/** `lost`: the number of lines that were dropped because the client read too slowly. `kept`: so many lines came before, and later ones are new. */
export type LogLine = { line: LogEntry } | { lost: number } | { kept: number }

/** Where lines are that the balancer does not keep in memory any more. */
export interface LogFilesReport {
  /** The log file of the balancer, with one JSON object per line; null: there is none. */
  own: string | null
  /** The log files of the workers' output; null: there are none. `name`: of the balancer. */
  workers: { name: string; folder: string; file: string; errorFile: string | null } | null
}

export interface DecisionQuery {
  /** How many of the last decisions. */
  count: number
  follow?: boolean | undefined
  /** Only decisions of this route, this pool, or for the worker of this slot. */
  route?: string | undefined
  pool?: string | undefined
  slot?: number | undefined
  /** The slot is that of a proxy worker. */
  proxy?: boolean | undefined
}

/** `began`: nothing was recorded before, and recording begins now. `lost`: so many decisions were not sent, because there were too many to read. */
export type DecisionReport = { decision: Decision } | { lost: number } | { began: true }

/** Answer of `POST /dashboard-link`: a link that opens the dashboard with the right to act, once. null: there is no admin page. */
export interface DashboardLink {
  url: string | null
}

export interface LogQuery {
  lines: number
  /** Send `kept` between the lines that were kept and new ones. */
  mark?: boolean | undefined
  follow?: boolean | undefined
  pool?: string | undefined
  slot?: number | undefined
}
