// Reads a file for PM2: JavaScript, JSON with comments, or YAML. Its content is not checked.

import { readFileSync, statSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import { BalancerError } from '../../errors.ts'

const MAX_BYTES = 1024 * 1024
/** A file that computes for longer hangs. */
const MAX_EVALUATION_MS = 1_000
/** An async file that takes longer waits for something that does not come. */
export const MAX_ASYNC_MS = 10_000

export interface Pm2Content {
  readonly value: unknown
  readonly text: string
}

/** `load`: evaluates a module. Throws ERR_CONFIG when the file can't be read. `maxAsyncMs`: how long its promise may be pending. */
export async function readPm2File(path: string, load: (path: string) => Promise<unknown>, maxAsyncMs = MAX_ASYNC_MS): Promise<Pm2Content> {
  const text = textOf(path)
  try {
    if (/\.ya?ml$/i.test(path)) return { value: await readYaml(text), text }
    if (/\.json$/i.test(path)) return { value: readJson(text), text }
  } catch (cause) {
    throw unreadable(path, (cause as Error).message, cause)
  }
  return { value: await settled(load(path), path, maxAsyncMs), text }
}

function textOf(path: string): string {
  try {
    const { size } = statSync(path)
    if (size > MAX_BYTES) throw new Error(`it has ${size} bytes, and ${MAX_BYTES} are the most`)
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '')
  } catch (cause) {
    throw unreadable(path, (cause as Error).message, cause)
  }
}

/** PM2 evaluates JSON as JavaScript, so comments and trailing commas are in use. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    try {
      // Into objects of this realm.
      return structuredClone(runInNewContext(`(${text}\n)`, Object.create(null), { timeout: MAX_EVALUATION_MS }) as unknown)
    } catch {
      throw error
    }
  }
}

async function readYaml(text: string): Promise<unknown> {
  const { parse } = await import('yaml')
  // Anchors that merge (`<<: *base`) are of YAML 1.1, which PM2 reads.
  return parse(text, { merge: true })
}

async function settled<T>(promise: Promise<T>, path: string, maxMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(unreadable(path, `its promise is still pending after ${maxMs} ms`)), maxMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function unreadable(path: string, why: string, cause?: unknown): BalancerError {
  return new BalancerError('ERR_CONFIG', `${path} can't be read: ${why.trim().replaceAll(/\s*\n\s*/g, ' ')}`, { source: 'config', cause })
}
