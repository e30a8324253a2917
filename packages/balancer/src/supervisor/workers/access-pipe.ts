// The primary's end of the pipe over which a worker sends lines of the access log.

import type { Readable } from 'node:stream'

/** A longer line is cut: the worker's own are much shorter. */
const MAX_LINE = 64 * 1024

/** Calls `onLines` with one or more whole lines at a time, each with its end. A line in part at the end of the pipe is lost. */
export function readAccessLines(pipe: Readable, onLines: (lines: string) => void): void {
  let rest = ''
  // The worker is gone; its exit event follows.
  pipe.on('error', () => {})
  pipe.on('data', (bytes: Buffer) => {
    // Lines are ASCII, and the bytes of a worker that lies are not worth a check.
    const text = rest + bytes.toString('latin1')
    const end = text.lastIndexOf('\n') + 1
    rest = text.length - end > MAX_LINE ? '' : text.slice(end)
    if (end > 0) onLines(end === text.length ? text : text.slice(0, end))
  })
}
