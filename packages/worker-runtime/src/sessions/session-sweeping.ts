// What is over in a table goes bit by bit, whoever has the table.

import type { SessionTable } from './session-table.ts'

const SWEEP_MS = 1000
const SWEPT_ROWS = 10_000

/** Begins; keeps no process alive. `clearInterval` ends it. */
export function startSweeping(table: SessionTable, now: () => number): NodeJS.Timeout {
  return setInterval(() => table.sweep(SWEPT_ROWS, now()), SWEEP_MS).unref()
}
