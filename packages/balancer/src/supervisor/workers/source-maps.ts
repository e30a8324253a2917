// Source maps of a worker: how they are turned on in it, and the position in the source for a position in its compiled code.

import { readFile, stat } from 'node:fs/promises'
import module, { SourceMap, type SourceMapPayload } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { PoolSettings } from '../../settings.ts'

/** A larger map would hold up the primary for too long while it is parsed. */
const MAX_MAP_BYTES = 2 * 2 ** 20
const MAX_MAPS = 8

const FLAG = '--enable-source-maps'
const OWN_CHOICE = /^--(no-)?enable-source-maps$/
const DATA_URL = /^data:application\/json[^,]*?(;base64)?,/

type Arguments = Pick<PoolSettings, 'sourceMaps' | 'execArgv' | 'env'>

/** How source maps are turned on: by the runtime, which leaves out those of packages (Node 22.14), or by an option of Node, which reads them all. */
export function sourceMapWay({ sourceMaps, execArgv, env }: Arguments): 'runtime' | 'option' | 'none' {
  const fromEnvironment = env.NODE_OPTIONS ?? process.env.NODE_OPTIONS ?? ''
  const isChosen = [...execArgv, ...fromEnvironment.split(/\s+/)].some((argument) => OWN_CHOICE.test(argument))
  if (!sourceMaps || isChosen) return 'none'
  return 'setSourceMapsSupport' in module ? 'runtime' : 'option'
}

/** Options of Node for a worker. */
export function sourceMapArguments(worker: Arguments): string[] {
  return sourceMapWay(worker) === 'option' ? [FLAG] : []
}

/** A script as the inspector describes it. */
export interface Script {
  readonly url: string
  /** Relative to the script's URL. */
  readonly mapUrl: string
}

/** Finds positions in sources. Reads each map once. */
export class SourcePositions {
  private readonly maps = new Map<string, Promise<LoadedMap | undefined>>()

  /** Lines and columns count from 0. Undefined: the script has no map that can be used. Never rejects. */
  async find({ url, mapUrl }: Script, line: number, column: number): Promise<{ path: string; line: number; column: number } | undefined> {
    if (!url.startsWith('file:') || mapUrl === '') return undefined
    const known = this.maps.get(url)
    if (known === undefined && this.maps.size >= MAX_MAPS) return undefined
    const loading = known ?? load(url, mapUrl).catch(() => undefined)
    this.maps.set(url, loading)
    const loaded = await loading
    try {
      const entry = loaded?.map.findEntry(line, column)
      if (loaded === undefined || entry === undefined || !('originalSource' in entry)) return undefined
      const source = new URL(entry.originalSource, loaded.base)
      return source.protocol === 'file:'
        ? { path: fileURLToPath(source), line: entry.originalLine, column: entry.originalColumn }
        : undefined
    } catch {
      return undefined
    }
  }
}

interface LoadedMap {
  readonly map: SourceMap
  /** Its sources are relative to it. */
  readonly base: URL
}

/** The worker names the map: only a file of bounded size is read. */
async function load(url: string, mapUrl: string): Promise<LoadedMap | undefined> {
  const [prefix, base64] = DATA_URL.exec(mapUrl) ?? []
  if (prefix !== undefined) {
    if (mapUrl.length > MAX_MAP_BYTES * 2) return undefined
    const text = mapUrl.slice(prefix.length)
    return parse(base64 === undefined ? decodeURIComponent(text) : Buffer.from(text, 'base64').toString(), new URL(url))
  }
  const file = new URL(mapUrl, url)
  if (file.protocol !== 'file:') return undefined
  const stats = await stat(file)
  return stats.isFile() && stats.size <= MAX_MAP_BYTES ? parse(await readFile(file, 'utf8'), file) : undefined
}

function parse(text: string, location: URL): LoadedMap {
  const payload = JSON.parse(text) as SourceMapPayload
  // Node's class leaves `sourceRoot` to its callers.
  return { map: new SourceMap(payload), base: payload.sourceRoot ? new URL(payload.sourceRoot, location) : location }
}
