// Writes the config that a file for PM2 was converted into, as a file that its user keeps and edits.

import { basename, isAbsolute, relative } from 'node:path'
import type { Pm2Import } from '../../config/pm2/import.ts'

/** Longest line of an object or list. */
const WIDTH = 100
const VARIABLE = /\bprocess\.env(?:\.([A-Za-z_]\w*)|\[\s*["']([^"']+)["']\s*\])/g
const SPREAD = /\.\.\.\s*process\.env\b(?!\s*[.[])/
/** Options whose value is a path. */
const PATHS = ['app', 'cwd', 'folder']

export interface ConfigTextOptions {
  /** Folder of the file to write. Paths in it start from there. */
  readonly folder: string
  /** The file for PM2. */
  readonly file: string
  /** The command line that makes it. */
  readonly command: string
  readonly env: NodeJS.ProcessEnv
}

/** The whole file, in TypeScript and JavaScript alike. */
export function configText({ config, findings, text, origins }: Pm2Import, { folder, file, command, env }: ConfigTextOptions): string {
  const missing = findings.filter(({ state }) => state === 'missing')
  const writer = new Writer(folder, variablesIn(text, env), SPREAD.test(text) ? env : {}, origins)
  const lines = [
    `// Made from ${basename(file)} by '${command}'. 'balancer check' prints what it means.`,
    ...(missing.length === 0 ? [] : ['//', '// Not taken over:']),
    ...missing.map(({ app, option, note }) => `//   ${oneLine([app, option, note].filter((part) => part !== undefined).join(': '))}`),
    '',
    "import { defineConfig } from '@switchyard/balancer'",
    '',
    `export default defineConfig(${writer.write(config, '', '', '')})`,
  ]
  return `${lines.join('\n')}\n`
}

/** The environment variables that the file reads: their names, by value. */
function variablesIn(text: string, env: NodeJS.ProcessEnv): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const [, dotted, quoted] of text.matchAll(VARIABLE)) {
    const name = (dotted ?? quoted) as string
    const value = env[name]
    if (value !== undefined && value !== '' && !found.has(value)) found.set(value, name)
  }
  return found
}

interface Entry {
  readonly code: string
  /** The option of PM2 that it comes from, where it has another name. */
  readonly comment: string
}

class Writer {
  private readonly folder: string
  private readonly variables: ReadonlyMap<string, string>
  private readonly inherited: NodeJS.ProcessEnv
  private readonly origins: ReadonlyMap<string, string>

  constructor(folder: string, variables: ReadonlyMap<string, string>, inherited: NodeJS.ProcessEnv, origins: ReadonlyMap<string, string>) {
    this.folder = folder
    this.variables = variables
    this.inherited = inherited
    this.origins = origins
  }

  /** `path`: of the value in the config. `key`: its last part. */
  write(value: unknown, path: string, key: string, indent: string): string {
    if (typeof value === 'string') return this.text(value, path, key)
    if (typeof value !== 'object' || value === null) return String(value)
    const isList = Array.isArray(value)
    const entries = isList
      ? value.map((one): Entry => ({ code: this.write(one, path, key, `${indent}  `), comment: '' }))
      : this.entries(value as Record<string, unknown>, path, indent)
    const codes = entries.map(({ code }) => code)
    const short = isList ? `[${codes.join(', ')}]` : codes.length === 0 ? '{}' : `{ ${codes.join(', ')} }`
    const isLong = path === '' || /^pools(\.[^.]+)?$/.test(path) || indent.length + short.length > WIDTH
    if (!isLong && !short.includes('\n') && entries.every(({ comment }) => comment === '')) return short
    const lines = entries.map(({ code, comment }) => `${indent}  ${code},${comment === '' ? '' : ` // ${comment}`}`)
    return [isList ? '[' : '{', ...lines, `${indent}${isList ? ']' : '}'}`].join('\n')
  }

  private entries(value: Record<string, unknown>, path: string, indent: string): Entry[] {
    return Object.entries(value).flatMap(([key, one]) => {
      if (one === undefined) return []
      if (path.endsWith('.env') && this.inherited[key] === one) return []
      const below = path === '' ? key : `${path}.${key}`
      const origin = this.origins.get(below)?.split('.').at(-1)
      const comment = origin === undefined || origin === key || path === 'pools' ? '' : oneLine(origin)
      return [{ code: `${quoteKey(key)}: ${this.write(one, below, key, `${indent}  `)}`, comment }]
    })
  }

  private text(value: string, path: string, key: string): string {
    if (/\.env\.[^.]+$/.test(path)) {
      const name = this.variables.get(value)
      if (name !== undefined) return /^[A-Za-z_]\w*$/.test(name) ? `process.env.${name}` : `process.env[${quote(name)}]`
    }
    return quote(PATHS.includes(key) && isAbsolute(value) ? this.pathFrom(value) : value)
  }

  private pathFrom(path: string): string {
    const below = relative(this.folder, path).replaceAll('\\', '/')
    if (below.startsWith('../../..')) return path
    return below === '' ? '.' : below.startsWith('.') ? below : `./${below}`
  }
}

function quoteKey(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(key)
}

function quote(text: string): string {
  const escaped = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")
  return `'${escaped.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}'`
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ')
}
