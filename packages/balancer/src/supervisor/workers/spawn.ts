// Starts the process of a worker, and connects its pipes and events to the primary. The only file of the primary that imports node:cluster.

import type { ChildProcess } from 'node:child_process'
import cluster, { type Worker as ClusterWorker } from 'node:cluster'
import { setPriority } from 'node:os'
import { extname } from 'node:path'
import type { Duplex, Readable, Writable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { fileURLToPath } from 'node:url'
import { readWorkerIpc, type WorkerLink } from '@switchyard/handoff'
import {
  type AccessLogStart,
  type LineBlock,
  type ListenAnswer,
  type ListenRequest,
  readFromWorker,
  type ServerAddress,
  sendStart,
  startVariable,
  type ToPrimary,
  type ToWorker,
  type WorkerStart,
} from '@switchyard/worker-runtime'
import type { PoolSettings } from '../../settings.ts'
import { PROXY_APP, type ReleaseFiles, resolveFrom } from '../../system/release-files.ts'
import { AccessEnds } from './access-ends.ts'
import { ClusterRequests } from './cluster-requests.ts'
import { inspectorArguments, inspectorSettings } from './inspector-arguments.ts'
import { answerListens } from './listen-pipe.ts'
import { sourceMapArguments, sourceMapWay } from './source-maps.ts'

// For servers of an app that are not balanced, the kernel distributes the connections.
cluster.schedulingPolicy = cluster.SCHED_NONE

const TYPESCRIPT = new Set(['.ts', '.mts', '.cts'])

const MAX_LINE = 65_536
const BROKEN_ACCESS = 'the access log of this worker ends here: something else has written to its pipe or memory'
/** How long to wait for output after the exit of the process, and for its end while output comes. */
const OUTPUT_TIMEOUT_MS = 100
const MAX_OUTPUT_MS = 2_000
/** A process that has closed its IPC channel may be about to exit: it gets this long. */
const DISCONNECT_EXIT_MS = 1000

export interface SpawnOptions {
  readonly settings: PoolSettings
  /** Where the worker runtime is, which the worker loads first. */
  readonly files: ReleaseFiles
  /** Environment variables of the primary that workers don't inherit. */
  readonly withheld: readonly string[]
  readonly link: WorkerLink
  readonly start: Omit<WorkerStart, 'ends' | 'listenPipe' | 'sourceMaps' | 'accessLog'> & {
    readonly accessLog: Omit<AccessLogStart, 'pipe' | 'memory'> | undefined
  }
  readonly onMessage: (message: ToPrimary) => void
  /** A server of its app starts to listen, or closes. Never rejects. */
  readonly onListen: (request: ListenRequest) => Promise<ListenAnswer>
  readonly onLine: (stream: 'stdout' | 'stderr', line: string) => void
  /** Lines of the access log. */
  readonly onAccess: (lines: LineBlock) => void
  /** The process is gone. */
  readonly onExit: (code: number | null, signal: string | null) => void
  /** The system made no process. */
  readonly onFailed: (error: Error) => void
}

/** A running process. */
export interface SpawnedProcess {
  readonly pid: number
  send(message: ToWorker): void
  kill(signal: NodeJS.Signals): void
}

export type { ServerAddress }

/** Starts `app` with the worker runtime preloaded. Throws if the start fails at once; a later failure comes by `onFailed`. */
export function spawnWorker(options: SpawnOptions): SpawnedProcess {
  const { link, settings, start, files } = options
  const { args, execArgv, cwd, uid, gid } = settings
  // The release that the config was read from may be gone.
  const app = settings.upstream === undefined ? settings.app : fileURLToPath(files.dependency(PROXY_APP))
  const stdio = ['ignore', 'pipe', 'pipe', 'ipc', ...link.stdio] as const
  const access = start.accessLog && new AccessEnds(link.ends.kind === 'native')
  const register = files.dependency('@switchyard/worker-runtime/register')
  cluster.setupPrimary({
    exec: app,
    args: [...args],
    execArgv: [
      ...typescriptLoader(app, files),
      '--import',
      register,
      ...inspectorArguments(settings),
      ...sourceMapArguments(settings),
      ...execArgv,
    ],
    cwd,
    stdio: [...stdio, 'pipe', 'pipe', ...(access?.stdio ?? [])],
    // setupPrimary keeps the values of its last call for what is left out, so they are always passed.
    uid: uid as number,
    gid: gid as number,
    ...inspectorSettings(settings),
  })
  const listenPipe = stdio.length + 1
  const sourceMaps = sourceMapWay(settings) === 'runtime'
  const worker = fork(options, stdio.length, access)
  try {
    const accessLog = start.accessLog && access && { ...start.accessLog, ...access.descriptors(listenPipe + 1) }
    sendStart(worker.process.stdio?.[stdio.length] as Writable | undefined, {
      ...start,
      ends: link.ends,
      listenPipe,
      sourceMaps,
      accessLog,
    })
    const listens = worker.process.stdio?.[listenPipe] as Duplex | null | undefined
    if (listens) answerListens(listens, options.onListen)
    const accessPipe = (accessLog && worker.process.stdio?.[accessLog.pipe]) as Readable | null | undefined
    if (accessPipe) access?.read(accessPipe, options.onAccess, () => options.onLine('stderr', BROKEN_ACCESS))
    return follow(worker, options, access)
  } catch (error) {
    worker.process.kill('SIGKILL')
    throw error
  } finally {
    access?.started()
  }
}

/** Throws if the start fails at once. */
function fork(options: SpawnOptions, startPipe: number, access: AccessEnds | undefined): ClusterWorker {
  try {
    return cluster.fork({ ...environmentOf(options), ...startVariable(startPipe) })
  } catch (error) {
    access?.started()
    throw error
  }
}

/** Additions to the primary's environment; undefined removes a variable. The pool's `env` wins, but never over the pool, slot and generation. */
function environmentOf({ settings, start, withheld }: SpawnOptions): Record<string, string | undefined> {
  const { env, slotVariable } = settings
  return {
    ...Object.fromEntries(withheld.map((name) => [name, undefined])),
    ...(slotVariable !== undefined && { [slotVariable]: String(start.slot) }),
    ...env,
    SWITCHYARD_POOL: start.pool,
    SWITCHYARD_SLOT: String(start.slot),
    SWITCHYARD_GENERATION: String(start.generation),
  }
}

/** Connects the output, the messages and the exit of a process to the callbacks of `options`. */
function follow(worker: ClusterWorker, options: SpawnOptions, access: AccessEnds | undefined): SpawnedProcess {
  const { link, settings } = options
  const child = worker.process
  const kill = (why: string) => {
    options.onLine('stderr', `killed: ${why}`)
    child.kill('SIGKILL')
  }
  link.started(child, () => kill('it does not read the messages of the primary'))
  guardIpc(child, settings, kill)
  if (settings.readyMessage) {
    child.on('message', (message: unknown) => {
      if (message === 'ready') options.onMessage({ switchyard: 'ready' })
    })
  }
  if (settings.nice !== undefined && child.pid !== undefined) setNice(child.pid, settings.nice, options.onLine)
  const { control } = link
  // If no descriptors are left, there are no pipes and no process, and the error comes as an event.
  if (child.stdout) readLines(child.stdout, (line) => options.onLine('stdout', line))
  if (child.stderr) readLines(child.stderr, (line) => options.onLine('stderr', line))
  child.once('exit', (code: number | null, signal: string | null) => {
    afterOutput([child.stdout, child.stderr, access?.pipe], () => {
      access?.end()
      link.afterExit(() => options.onExit(code, signal))
    })
  })
  worker.on('error', (error: Error) => {
    // A worker with a pid has started: the error is an EPIPE, and its exit event follows.
    if (child.pid !== undefined || !(worker.id in (cluster.workers ?? {}))) return
    // node:cluster removes a worker at its exit, which never comes for this one.
    delete cluster.workers?.[worker.id]
    options.onFailed(error)
  })
  control?.onFrame((frame: unknown): boolean => {
    const message = readFromWorker(frame)
    if (message !== undefined) options.onMessage(message)
    return message !== undefined
  })
  let isStopping = false
  if (link.ends.kind === 'portable') {
    onceDisconnected(child, () => {
      if (!isStopping) kill('its app closed the IPC channel, over which it receives connections')
    })
  }
  return {
    pid: child.pid ?? 0,
    send(message) {
      isStopping ||= message.switchyard === 'leave'
      control?.send(message)
    },
    kill(signal) {
      isStopping = true
      child.kill(signal)
    },
  }
}

/** Calls `onLine` for each line of output, without its end. A line of more than `MAX_LINE` characters comes in pieces. */
function readLines(stream: Readable, onLine: (line: string) => void): void {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split('\n')
    rest = lines.pop() as string
    for (const line of lines) onLine(line.endsWith('\r') ? line.slice(0, -1) : line)
    while (rest.length > MAX_LINE) {
      onLine(rest.slice(0, MAX_LINE))
      rest = rest.slice(MAX_LINE)
    }
  })
  stream.once('end', () => {
    if (rest !== '') onLine(rest)
  })
  stream.on('error', () => {})
}

/**
 * Calls `then` when the output has ended, which may come after the exit. Children of the worker may hold a pipe open: waits only as long as lines come,
 * and at most MAX_OUTPUT_MS.
 */
function afterOutput(streams: readonly (Readable | null | undefined)[], then: () => void): void {
  const open = streams.filter((stream): stream is Readable => stream?.closed === false)
  if (open.length === 0) return then()
  const deadlineMs = performance.now() + MAX_OUTPUT_MS
  let left = open.length
  let isQuiet = true
  const onData = () => {
    isQuiet = false
  }
  const onClose = () => {
    left--
    if (left === 0) end()
  }
  const end = () => {
    clearTimeout(timer)
    for (const stream of open) stream.off('close', onClose).off('data', onData)
    then()
  }
  // After a turn in which the loop was busy, the timer comes before the output: it is read first.
  const onTimer = () => setImmediate(() => (left === 0 ? undefined : isQuiet || performance.now() > deadlineMs ? end() : wait()))
  const wait = () => {
    isQuiet = true
    timer = setTimeout(onTimer, OUTPUT_TIMEOUT_MS)
  }
  let timer = setTimeout(onTimer, OUTPUT_TIMEOUT_MS)
  for (const stream of open) stream.on('data', onData).once('close', onClose)
}

/** Calls `then` if the process lives on after it has closed its IPC channel. */
function onceDisconnected(child: ChildProcess, then: () => void): void {
  child.once('disconnect', () => {
    const timer = setTimeout(then, DISCONNECT_EXIT_MS)
    if (child.exitCode !== null || child.signalCode !== null) clearTimeout(timer)
    child.once('exit', () => clearTimeout(timer))
  })
}

function setNice(pid: number, nice: number, onLine: SpawnOptions['onLine']): void {
  try {
    setPriority(pid, nice)
  } catch (error) {
    // Only root may raise the priority, or the process is gone.
    onLine('stderr', `nice ${nice}: ${(error as Error).message}`)
  }
}

/** Node's IPC carries messages of the app and the protocol of node:cluster. Nothing in it is trusted: `ClusterRequests` checks the protocol. */
function guardIpc(child: ChildProcess, { uid, gid }: PoolSettings, kill: (why: string) => void): void {
  const isOther = (uid !== undefined && uid !== process.getuid?.()) || (gid !== undefined && gid !== process.getgid?.())
  const requests = new ClusterRequests({ isOther, now: () => performance.now() })
  const ipc = readWorkerIpc(child, {
    onInternal(message) {
      const { deliver, revise, reply } = requests.read(message)
      if (reply !== undefined) ipc?.reply(reply)
      if (deliver === undefined) return
      try {
        ipc?.deliver(deliver, revise)
      } catch (error) {
        kill(`node:cluster failed on a request of the worker: ${(error as Error).message}`)
      }
    },
  })
}

/**
 * Node strips types itself from 22.18 on. Older versions use tsx, which starts an app several times faster than the loader of configs. Throws if
 * it is not installed.
 */
function typescriptLoader(app: string, files: ReleaseFiles): string[] {
  if (!TYPESCRIPT.has(extname(app)) || ('typescript' in process.features && process.features.typescript)) return []
  const loader = resolveFrom(app, 'tsx') ?? files.optional('tsx')
  if (loader === undefined)
    throw new Error(`${app} is TypeScript, which Node ${process.versions.node} can't run: npm install tsx, or use Node 22.18 or newer`)
  return ['--import', loader]
}
