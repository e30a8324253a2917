// The names of rotated log files: `web-0.log.2026-11-30T15-33-43.123Z`, and with `.gz` when compressed. By name they are sorted by time.

import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

export interface RotatedName {
  readonly path: string
  /** When it was rotated: its lines are older. */
  readonly rotatedAtMs: number
  readonly isCompressed: boolean
}

const TIME = /^\.(\d{4}-\d\d-\d\dT)(\d\d)-(\d\d)-(\d\d\.\d{3}Z)(\.gz)?$/
const SUFFIX = /\.\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z(\.gz)?(\.partial)?$/
const PARTIAL = '.partial'

/** The name of a file that is rotated at this moment. */
export function rotatedPath(path: string, nowMs: number): string {
  return `${path}.${new Date(nowMs).toISOString().replaceAll(':', '-')}`
}

export function compressedPath(rotated: string): string {
  return `${rotated}.gz`
}

/** Where a file is compressed to until it is complete. */
export function partialPath(rotated: string): string {
  return `${rotated}.gz${PARTIAL}`
}

/** The rotated files of a log file, oldest first. A folder that is gone has none. */
export async function rotatedFilesOf(path: string): Promise<RotatedName[]> {
  const [folder, name] = [dirname(path), basename(path)]
  const found = (await namesIn(folder)).flatMap((entry) => {
    const rotatedAtMs = entry.startsWith(name) ? timeIn(entry.slice(name.length)) : undefined
    return rotatedAtMs === undefined ? [] : [{ path: join(folder, entry), rotatedAtMs, isCompressed: entry.endsWith('.gz') }]
  })
  return found.sort((a, b) => a.rotatedAtMs - b.rotatedAtMs)
}

/** The name of the log file that a rotated one was; the name itself if it is of no rotated file. */
export function baseNameOf(name: string): string {
  const at = name.search(SUFFIX)
  return at === -1 ? name : name.slice(0, at)
}

/** What compressing has left of a log file in part. */
export async function partialFilesOf(path: string): Promise<string[]> {
  const [folder, name] = [dirname(path), basename(path)]
  const entries = await namesIn(folder)
  return entries
    .filter((entry) => entry.endsWith(PARTIAL) && timeIn(entry.slice(name.length, -PARTIAL.length)) !== undefined)
    .map((entry) => join(folder, entry))
}

function timeIn(suffix: string): number | undefined {
  const [, date, hours, minutes, seconds] = TIME.exec(suffix) ?? []
  const time = date === undefined ? Number.NaN : Date.parse(`${date}${hours}:${minutes}:${seconds}`)
  return Number.isNaN(time) ? undefined : time
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch {
    return []
  }
}
