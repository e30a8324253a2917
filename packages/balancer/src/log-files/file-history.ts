// Reads lines back from log files, for `balancer logs`: finds the files, reads the newest ones that are needed, and sorts their lines by time.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileLines } from './file-lines.ts'
import { fileNamePattern } from './file-names.ts'
import { merged, OlderThan, type TimedLine } from './line-order.ts'
import { type ReadLine, readLineText } from './line-text.ts'
import { baseNameOf, rotatedFilesOf } from './rotated-names.ts'

/** Where the files are. */
export interface HistoryFiles {
  readonly own: string | null
  readonly workers: { readonly name: string; readonly folder: string; readonly file: string; readonly errorFile: string | null } | null
}

export interface HistoryQuery {
  /** The last lines; undefined: all since `sinceMs`. */
  readonly count: number | undefined
  readonly sinceMs: number | undefined
  readonly pool: string | undefined
  readonly slot: number | undefined
  readonly matches: (line: ReadLine) => boolean
  /** Lines that are known already, from the oldest on: only older ones are read. */
  readonly known: readonly ReadLine[]
}

type Origin = Pick<ReadLine, 'pool' | 'slot' | 'stream'>

/** A log file and its rotated ones, oldest first. */
interface Series {
  readonly origin: Origin
  readonly paths: readonly string[]
}

export class FileHistory {
  /** Lines without a time were left out: they have no place among the others. */
  hasUntimed = false
  private readonly files: HistoryFiles
  private readonly query: HistoryQuery

  constructor(files: HistoryFiles, query: HistoryQuery) {
    this.files = files
    this.query = query
  }

  /** Yields lines, oldest first. Rejects if a file can't be read. */
  async *lines(): AsyncGenerator<ReadLine> {
    const { count } = this.query
    const older = new OlderThan(this.query.known)
    const all = (await this.series()).map((series) => (count === undefined ? this.allOf(series, older) : this.lastOf(series, older, count)))
    if (count === undefined) return yield* merged(all)
    const last: ReadLine[] = []
    for await (const line of merged(all)) {
      last.push(line)
      if (last.length >= 2 * count + 1_000) last.splice(0, last.length - count)
    }
    if (count > 0) yield* last.slice(-count)
  }

  private async series(): Promise<Series[]> {
    const { own, workers } = this.files
    const { pool, slot } = this.query
    const found = own === null ? [] : [{ origin: {}, paths: [`${own}.1`, own] }]
    if (workers === null) return found
    const { name, folder, file, errorFile } = workers
    const templates = [
      [file, 'stdout'],
      [errorFile, 'stderr'],
    ] as const
    const names = [...new Set((await namesIn(folder)).map(baseNameOf))].sort()
    const seen = new Set<string>()
    for (const [template, stream] of templates) {
      if (template === null) continue
      const pattern = fileNamePattern(template, name)
      for (const base of names) {
        const match = pattern.exec(base)
        if (match === null || seen.has(base)) continue
        seen.add(base)
        const { pool: ofPool, slot: ofSlot } = match.groups ?? {}
        if (
          (pool !== undefined && ofPool !== undefined && ofPool !== pool) ||
          (slot !== undefined && ofSlot !== undefined && Number(ofSlot) !== slot)
        )
          continue
        const origin = { ...(ofPool !== undefined && { pool: ofPool }), ...(ofSlot !== undefined && { slot: Number(ofSlot) }), stream }
        found.push({ origin, paths: await this.pathsOf(join(folder, base)) })
      }
    }
    return found
  }

  private async pathsOf(path: string): Promise<string[]> {
    const { sinceMs } = this.query
    const rotated = (await rotatedFilesOf(path)).filter(({ rotatedAtMs }) => sinceMs === undefined || rotatedAtMs >= sinceMs)
    return [...rotated.map((file) => file.path), path]
  }

  private async *allOf({ paths, origin }: Series, older: OlderThan): AsyncGenerator<TimedLine> {
    for (const path of paths) yield* this.linesOf(path, origin, older)
  }

  /** At most `count` lines; reads no more files than needed. */
  private async *lastOf({ paths, origin }: Series, older: OlderThan, count: number): AsyncGenerator<TimedLine> {
    let found: TimedLine[] = []
    for (const path of [...paths].reverse()) {
      const lines: TimedLine[] = []
      for await (const line of this.linesOf(path, origin, older)) {
        lines.push(line)
        if (lines.length >= 2 * count + 1_000) lines.splice(0, lines.length - count)
      }
      found = [...lines, ...found]
      if (found.length >= count) break
    }
    yield* found
  }

  private async *linesOf(path: string, origin: Origin, older: OlderThan): AsyncGenerator<TimedLine> {
    const { sinceMs, pool, slot, matches } = this.query
    for await (const text of fileLines(path)) {
      if (text === '') continue
      const read = readLineText(text, origin)
      if (read.time === undefined) {
        this.hasUntimed = true
        continue
      }
      if (
        (sinceMs !== undefined && read.time < sinceMs) ||
        (pool !== undefined && read.pool !== pool) ||
        (slot !== undefined && read.slot !== slot)
      )
        continue
      const line = older.pass(read as TimedLine)
      if (line !== undefined && matches(line)) yield line
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
