// Reads the lines of one log file, compressed or not.

import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { compressedPath } from './rotated-names.ts'

/** The rest of a longer line is left out. */
const MAX_LINE = 1024 * 1024
const CHUNK_BYTES = 256 * 1024

/** Yields each line without its end. A file that is gone has none; one that was compressed meanwhile is read in that form. */
export async function* fileLines(path: string): AsyncGenerator<string> {
  let rest = ''
  const decoder = new StringDecoder('utf8')
  for await (const chunk of await contentOf(path)) {
    const lines = (rest + decoder.write(chunk as Buffer)).split('\n')
    rest = (lines.pop() as string).slice(0, MAX_LINE)
    yield* lines
  }
  if (rest !== '') yield rest
}

async function contentOf(path: string): Promise<AsyncIterable<unknown> | Iterable<unknown>> {
  for (const candidate of path.endsWith('.gz') ? [path] : [path, compressedPath(path)]) {
    const stream = createReadStream(candidate, { highWaterMark: CHUNK_BYTES })
    const isThere = await new Promise<boolean>((resolve, reject) => {
      stream.once('open', () => resolve(true))
      stream.once('error', (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? resolve(false) : reject(error)))
    })
    if (isThere) return candidate.endsWith('.gz') ? await unzipped(stream) : stream
  }
  return []
}

async function unzipped(stream: Readable): Promise<Readable> {
  const { createGunzip } = await import('node:zlib')
  const unzip = createGunzip({ chunkSize: CHUNK_BYTES })
  stream.once('error', (error) => unzip.destroy(error))
  return stream.pipe(unzip)
}
