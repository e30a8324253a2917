// ab, which opens a new connection for every request, and the times that it measured. They are whole milliseconds.

import { startChild } from './children.ts'

export interface AbReport {
  readonly p50Ms: number
  readonly slowestMs: number
}

const BOUND_MS = 60_000

/** Sends `requests` requests, `atOnce` at a time. Rejects unless all are answered with 2xx. */
export async function runAb(url: string, requests: number, atOnce: number): Promise<AbReport> {
  const child = startChild('ab', ['-n', `${requests}`, '-c', `${atOnce}`, url])
  const bound = setTimeout(() => child.process.kill('SIGKILL'), BOUND_MS)
  await child.ended
  clearTimeout(bound)
  return abReportOf(child.output(), requests)
}

/** Reads the output of ab. Throws unless all were answered with 2xx. */
export function abReportOf(output: string, requests: number): AbReport {
  const found = (pattern: RegExp): number => Number(pattern.exec(output)?.[1])
  const complete = found(/^Complete requests: +(\d+)$/m)
  const failed = found(/^Failed requests: +(\d+)$/m)
  if (complete !== requests || failed !== 0 || /^Non-2xx responses/m.test(output)) throw new Error(`ab:\n${output}`)
  return { p50Ms: found(/^ +50% +(\d+)$/m), slowestMs: found(/^ +100% +(\d+) /m) }
}
