// Finds the file that runs the app: as the start script or `main` of package.json says, or by its usual names.

import { existsSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { findApp, whyNotRunnable } from '../../config/pool/app.ts'
import type { PackageFile } from '../../config/project/package-file.ts'

export interface Entry {
  /** Relative to the folder, such as `./server.js`. */
  readonly app: string
  readonly args: readonly string[]
  /** Where it was found, for people. */
  readonly from: string
  /** false: a build makes it. */
  readonly exists: boolean
}

const FOLDERS = ['', 'src/', 'dist/', 'build/', 'lib/']
const NAMES = ['server', 'app', 'index', 'main']
const EXTENSIONS = ['.ts', '.mts', '.js', '.mjs', '.cjs']
const OTHERS = ['bin/www', 'bin/www.js']

/** Commands of packages that serve in their own process: the file behind them and the first argument. */
const COMMANDS: Readonly<Record<string, { readonly file: string; readonly verb: string }>> = {
  next: { file: 'node_modules/next/dist/bin/next', verb: 'start' },
  fastify: { file: 'node_modules/fastify-cli/cli.js', verb: 'start' },
}

const SCRIPTS = ['start', 'start:prod', 'serve']
const CODE = /\.[cm]?[jt]s$/
const ASSIGNMENT = /^[A-Za-z_]\w*=/

/** The entry of the app; undefined: nothing looks like one. */
export function findEntry(folder: string, { scripts, main }: Pick<PackageFile, 'scripts' | 'main'>): Entry | undefined {
  const named = SCRIPTS.flatMap((name) => {
    const entry = entryOfScript(folder, scripts.get(name) ?? '')
    return entry === undefined ? [] : [{ ...entry, from: `the script '${name}' of package.json` }]
  })
  const existing = named.find(({ exists }) => exists)
  if (existing !== undefined) return existing
  const ofMain = main === undefined ? undefined : runnable(folder, main)
  // A file that a build makes is the app, even before the first build.
  return (
    (scripts.has('build') ? named[0] : undefined) ??
    (ofMain === undefined ? undefined : { app: ofMain, args: [], from: "'main' of package.json", exists: true }) ??
    usualEntry(folder) ??
    named[0]
  )
}

/** The entry that the command line names. Undefined: there is no such file. */
export function namedEntry(folder: string, app: string): Entry | undefined {
  const found = runnable(folder, app)
  return found === undefined ? undefined : { app: found, args: [], from: 'the command line', exists: true }
}

function entryOfScript(folder: string, script: string): Omit<Entry, 'from'> | undefined {
  // The last command of a chain serves: `npm run build && node dist/server.js`.
  const last = script.split(/&&|;|\|\|/).at(-1) ?? ''
  const words = (last.match(/"[^"]*"|'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^(["'])(.*)\1$/, '$2'))
  while (words[0] !== undefined && (ASSIGNMENT.test(words[0]) || /^(cross-env|env|npx|exec)$/.test(words[0]))) words.shift()
  const [program = '', verb, ...rest] = words
  const command = COMMANDS[program]
  if (command !== undefined && verb === command.verb) {
    const { file } = command
    return { app: `./${file}`, args: [verb, ...rest], exists: existsSync(join(folder, file)) }
  }
  if (program === 'nest') return { app: './dist/main.js', args: [], exists: existsSync(join(folder, 'dist/main.js')) }
  if (!/^(node|nodemon|tsx|ts-node|ts-node-dev|node-dev|pm2|pm2-runtime|bun)$/.test(program)) return undefined
  const all = words.slice(1)
  const at = all.findIndex((word, index) => isEntry(folder, word, all[index - 1]))
  const word = all[at]
  if (word === undefined) return undefined
  const app = runnable(folder, word)
  return { app: app ?? `./${word.replace(/^\.\//, '')}`, args: all.slice(at + 1), exists: app !== undefined }
}

/** Is the word of a command line the file to run, and not the value of an option? */
function isEntry(folder: string, word: string, before = ''): boolean {
  if (word.startsWith('-') || /^(-r|--require|--import|--loader|--env-file|--config|-c)$/.test(before)) return false
  return CODE.test(word) || (!/^(start|watch|run)$/.test(word) && runnable(folder, word) !== undefined)
}

function usualEntry(folder: string): Entry | undefined {
  const names = NAMES.flatMap((name) => FOLDERS.flatMap((below) => EXTENSIONS.map((extension) => `${below}${name}${extension}`)))
  const app = [...names, ...OTHERS].find((name) => existsSync(join(folder, name)))
  return app === undefined ? undefined : { app: `./${app}`, args: [], from: 'its name', exists: true }
}

function runnable(folder: string, path: string): string | undefined {
  const file = findApp(path, folder)
  if (file === undefined || whyNotRunnable(file) !== undefined) return undefined
  const below = relative(resolve(folder), file)
  return below.startsWith('..') ? file : `./${below.replaceAll('\\', '/')}`
}
