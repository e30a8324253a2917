// The program of an app in a file for PM2: a file that Node runs, a command that leads to one, or something that the balancer can't run.

import { closeSync, openSync, readSync, realpathSync, statSync } from 'node:fs'
import { basename, extname, join, resolve } from 'node:path'
import { findApp } from '../pool/app.ts'
import { readPackageFile } from '../project/package-file.ts'
import { wordsOf } from './values.ts'

/** A file that a worker can run. */
export interface NodeProgram {
  /** Absolute, or as written if it does not exist. */
  readonly file: string
  readonly exists: boolean
  /** Arguments that the command has before those of the app. */
  readonly args: readonly string[]
  readonly execArgv: readonly string[]
  /** Variables that the command sets. */
  readonly env: Readonly<Record<string, string>>
  /** What the user should know. */
  readonly note?: string
}

/** A program that is not Node's, with the reason in one sentence without a full stop. */
export interface OtherProgram {
  readonly reason: string
  /** What runs it, if the file does not say. */
  readonly program?: string
}

export interface ProgramSource {
  readonly script: string
  readonly args: readonly string[]
  readonly interpreter: string | undefined
  readonly cwd: string
}

const NODE_ENDINGS = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '.jsx', '.tsx']
/** By ending: the language, and the program that runs it. */
const LANGUAGES: Readonly<Record<string, readonly [language: string, program: string]>> = {
  '.py': ['in Python', 'python3'],
  '.rb': ['in Ruby', 'ruby'],
  '.php': ['in PHP', 'php'],
  '.pl': ['in Perl', 'perl'],
  '.sh': ['for a shell', 'sh'],
  '.bash': ['for a shell', 'bash'],
  '.ps1': ['for PowerShell', 'pwsh'],
  '.coffee': ['in CoffeeScript', 'coffee'],
  '.ls': ['in LiveScript', 'lsc'],
  '.jar': ['in Java', 'java -jar'],
  '.go': ['in Go', 'go run'],
}
/** Options of Node with a value in the next word. */
const WITH_VALUE = /^(-r|-C|--require|--import|--loader|--experimental-loader|--conditions|--env-file)$/
const ASSIGNMENT = /^([A-Za-z_]\w*)=(.*)$/
const RUNNERS = ['npm', 'pnpm', 'yarn']
const MAX_SCRIPTS = 5
const FIRST_BYTES = 256

/** Loaders by which Node runs what other programs run. */
const LOADERS: Readonly<Record<string, readonly string[]>> = {
  tsx: ['--import', 'tsx'],
  'ts-node': ['--require', 'ts-node/register'],
  'ts-node-dev': ['--require', 'ts-node/register'],
  'ts-node-esm': ['--loader', 'ts-node/esm'],
  'babel-node': ['--require', '@babel/register'],
  coffee: ['--require', 'coffeescript/register'],
}

/** What the app's script, arguments and interpreter run. */
export function findProgram(source: ProgramSource): NodeProgram | OtherProgram {
  const { script, args, interpreter, cwd } = source
  const byInterpreter = interpreter === undefined ? undefined : readInterpreter(interpreter)
  if (byInterpreter !== undefined && 'reason' in byInterpreter) return byInterpreter
  const { execArgv = [], note } = byInterpreter ?? {}
  const more = { execArgv, ...(note !== undefined && { note }) }
  const file = fileAt(script, cwd)
  if (file !== undefined) return runFile(file, { args, env: {}, ...more }, byInterpreter !== undefined)
  // PM2 gives a script with spaces to a shell, and looks for other names in PATH.
  const command = readCommand([...wordsOf(script), ...args], cwd, MAX_SCRIPTS)
  if (command !== undefined)
    return 'reason' in command ? command : { ...command, execArgv: [...execArgv, ...command.execArgv], ...(note !== undefined && { note }) }
  const looksLikeFile = NODE_ENDINGS.includes(extname(script)) || /^[./~]/.test(script)
  if (!looksLikeFile && /^[\w@-]+(\s|$)/.test(script))
    return { reason: `'${[script, ...args].join(' ')}' is a command, and the balancer runs files of Node` }
  return otherLanguage(script) ?? { file: resolve(cwd, script), exists: false, args, env: {}, ...more }
}

function readInterpreter(interpreter: string): { execArgv?: readonly string[]; note?: string } | OtherProgram {
  const name = basename(interpreter)
  if (name === 'none') return { reason: "its interpreter is 'none', so it is no program of Node" }
  const loader = LOADERS[name]
  if (loader !== undefined) return { execArgv: loader }
  if (/^(node|nodejs|nodemon)$/.test(name)) {
    if (interpreter === name || interpreter === process.execPath) return {}
    return { note: `workers run with the Node that runs the balancer, ${process.version}: start the balancer with ${interpreter}` }
  }
  if (/^node@/.test(name))
    return { note: `workers run with the Node that runs the balancer, ${process.version}: start it with Node ${name.slice(5)}` }
  return { reason: `its interpreter is '${interpreter}', and the balancer runs programs of Node` }
}

function runFile(file: string, more: Omit<NodeProgram, 'file' | 'exists'>, hasInterpreter: boolean): NodeProgram | OtherProgram {
  const other = hasInterpreter ? undefined : (otherLanguage(file) ?? otherByContent(file))
  return other ?? { file, exists: true, ...more }
}

function otherLanguage(path: string): OtherProgram | undefined {
  const ending = extname(path)
  const found = LANGUAGES[ending]
  if (found === undefined) return undefined
  const [language, program] = found
  return { reason: `${basename(path)} is written ${language}, and the balancer runs programs of Node`, program }
}

/** Files without an ending of Node: the first bytes tell. */
function otherByContent(file: string): OtherProgram | undefined {
  if (NODE_ENDINGS.includes(extname(file))) return undefined
  const bytes = firstBytesOf(file)
  const [first = ''] = bytes.toString('latin1').split('\n')
  if (first.startsWith('#!') && !/\b(node|nodejs|tsx|ts-node)\b/.test(first))
    return { reason: `${basename(file)} is a program of '${first.slice(2).trim()}', and the balancer runs programs of Node` }
  if (bytes.includes(0)) return { reason: `${basename(file)} is a binary, and the balancer runs programs of Node` }
  return undefined
}

/** The file behind a command line; undefined: it names none that is known. `left`: how many scripts of package.json may still be followed. */
function readCommand(words: readonly string[], cwd: string, left: number): NodeProgram | OtherProgram | undefined {
  const rest = [...words]
  const env: Record<string, string> = {}
  for (let word = rest[0]; word !== undefined; word = rest[0]) {
    const [, name, value = ''] = ASSIGNMENT.exec(word) ?? []
    if (name !== undefined) env[name] = value
    else if (!/^(cross-env|env|exec|npx)$/.test(word)) break
    rest.shift()
  }
  const [program, ...args] = rest
  if (program === undefined || words.some((word) => /^(&&|\|\||[|;&<>])|;$/.test(word))) return undefined
  const found = runProgram(program, args, cwd, left)
  return found === undefined || 'reason' in found ? found : { ...found, env: { ...env, ...found.env } }
}

function runProgram(program: string, args: readonly string[], cwd: string, left: number): NodeProgram | OtherProgram | undefined {
  if (RUNNERS.includes(program)) return runScript(args, cwd, left)
  const name = basename(program)
  const loader = LOADERS[name] ?? (/^(node|nodejs|nodemon)$/.test(name) ? [] : undefined)
  if (loader !== undefined) return runNode(args, cwd, loader)
  // A command of a package: npm links it to its file, which Node runs.
  const linked = fileAt(join('node_modules', '.bin', program), cwd) ?? fileAt(program, cwd)
  return linked === undefined ? undefined : runFile(realpathSync(linked), { args, execArgv: [], env: {} }, false)
}

function runNode(args: readonly string[], cwd: string, loader: readonly string[]): NodeProgram | undefined {
  let at = 0
  while (at < args.length && (args[at] as string).startsWith('-')) at += WITH_VALUE.test(args[at] as string) ? 2 : 1
  const script = args[at]
  if (script === undefined) return undefined
  const file = fileAt(script, cwd) ?? findApp(script, cwd)
  const execArgv = [...loader, ...args.slice(0, at)]
  return { file: file ?? resolve(cwd, script), exists: file !== undefined, args: args.slice(at + 1), execArgv, env: {} }
}

/** `npm start`, `npm run serve -- --port 1`: what package.json says. */
function runScript(words: readonly string[], cwd: string, left: number): NodeProgram | OtherProgram | undefined {
  const rest = words.filter((word) => !/^(run|run-script|--silent|-s)$/.test(word))
  const [name = 'start', ...more] = rest
  const text = readPackageFile(cwd).scripts.get(name)
  if (text === undefined) return { reason: `there is no script '${name}' in a package.json in ${cwd}` }
  if (left === 0) return { reason: `the scripts of package.json call each other: '${name}'` }
  const found = readCommand([...wordsOf(text), ...more.filter((word) => word !== '--')], cwd, left - 1)
  return found ?? { reason: `the script '${name}' of package.json, '${text}', names no file for Node` }
}

function fileAt(path: string, cwd: string): string | undefined {
  const file = resolve(cwd, path)
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true ? file : undefined
}

function firstBytesOf(file: string): Buffer {
  const descriptor = openSync(file, 'r')
  try {
    const bytes = Buffer.alloc(FIRST_BYTES)
    return bytes.subarray(0, readSync(descriptor, bytes, 0, FIRST_BYTES, 0))
  } finally {
    closeSync(descriptor)
  }
}
