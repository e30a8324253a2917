// The text of the app's own files: its entry and what that imports by relative paths. They are read, not run.

import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { textOf } from './package-file.ts'

const MAX_FILES = 200
const MAX_FILE_BYTES = 512 * 1024
const RELATIVE = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)["'](\.{1,2}\/[^"']*|\.{1,2})["']/g
const ENDINGS = ['', '.js', '.ts', '.mjs', '.cjs', '.mts', '.cts', '.tsx', '/index.js', '/index.ts']
const COMMENTS = /\/\*[\s\S]*?\*\/|(^|\s)\/\/[^\n]*/g

export class Sources {
  /** Without comments. */
  readonly texts: readonly string[]

  /** `entry`: an absolute path. */
  constructor(entry: string) {
    const texts = new Map<string, string>()
    const waiting = [entry]
    while (waiting.length > 0 && texts.size < MAX_FILES) {
      const file = waiting.shift() as string
      const text = texts.has(file) ? undefined : textOf(file, MAX_FILE_BYTES)
      if (text === undefined) continue
      const code = text.replaceAll(COMMENTS, '$1')
      texts.set(file, code)
      for (const [, path = ''] of code.matchAll(RELATIVE)) {
        const found = resolveFile(join(dirname(file), path))
        if (found !== undefined) waiting.push(found)
      }
    }
    this.texts = [...texts.values()]
  }

  /** Does a file import the package, or a part of it? */
  imports(name: string): boolean {
    const quoted = name.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&')
    return this.has(new RegExp(`\\b(?:from|import|require)\\b\\s*\\(?\\s*["']${quoted}(?:/[^"']*)?["']`))
  }

  has(pattern: RegExp): boolean {
    return this.texts.some((text) => pattern.test(text))
  }

  /** The first group of the first match. */
  find(pattern: RegExp): string | undefined {
    for (const text of this.texts) {
      const [, found] = pattern.exec(text) ?? []
      if (found !== undefined) return found
    }
    return undefined
  }
}

/** TypeScript imports a `.ts` file by the name of its output, `.js`. */
function resolveFile(path: string): string | undefined {
  const names = [...ENDINGS.map((ending) => path + ending), path.replace(/\.([cm]?)js$/, '.$1ts')]
  return names.find((name) => existsSync(name) && statSync(name).isFile())
}
