// Starts a worker's process. The only file that knows node:cluster.

import type { ChildProcess } from 'node:child_process'
import cluster, { type Worker as ClusterWorker } from 'node:cluster'
import { setPriority } from 'node:os'
import { extname } from 'node:path'
import type { Duplex, Readable, Writable } from 'node:stream'
import { readWorkerIpc, type WorkerLink } from '@switchyard/handoff'
import {
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
import type { ReleaseFiles } from '../../system/release-files.ts'
import { ClusterRequests } from './cluster-requests.ts'
import { inspectorArguments, inspectorSettings } from './inspector-arguments.ts'
import { answerListens } from './listen-pipe.ts'
import { readLines } from './output-lines.ts'

// The primary owns the listening socket; servers of an app that are not balanced share theirs as the kernel likes.
cluster.schedulingPolicy = cluster.SCHED_NONE

const TYPESCRIPT = new Set(['.ts', '.mts', '.cts'])

const LAST_WORDS_MS = 100
/** A process that has closed its IPC channel ends by itself, if nothing keeps it. */
const DISCONNECTED_MS = 1000

export interface SpawnOptions {
  readonly settings: PoolSettings
  /** Where the runtime is that the worker loads first. */
  readonly files: ReleaseFiles
  /** Of this process's environment, what workers have not. */
  readonly withheld: readonly string[]
  readonly link: WorkerLink
  readonly start: Omit<WorkerStart, 'ends' | 'listenPipe'>
  readonly onMessage: (message: ToPrimary) => void
  /** A server of its app listens, or closes. Rejects never. */
  readonly onListen: (request: ListenRequest) => Promise<ListenAnswer>
  readonly onLine: (stream: 'stdout' | 'stderr', line: string) => void
  /** The process is gone. */
  readonly onExit: (code: number | null, signal: string | null) => void
  /** There has been no process. */
  readonly onFailed: (error: Error) => void
}

/** A running process. */
export interface SpawnedProcess {
  readonly pid: number
  send(message: ToWorker): void
  kill(signal: NodeJS.Signals): void
}

export type { ServerAddress }

/** Starts `app` with the worker runtime preloaded. Throws when the system refuses at once; what goes wrong a moment later is told by `onFailed`. */
export function spawnWorker(options: SpawnOptions): SpawnedProcess {
  const { link, settings, start, files } = options
  const { app, args, execArgv, cwd, uid, gid } = settings
  const stdio = ['ignore', 'pipe', 'pipe', 'ipc', ...link.stdio] as const
  const register = files.dependency('@switchyard/worker-runtime/register')
  cluster.setupPrimary({
    exec: app,
    args: [...args],
    execArgv: [...typescriptLoader(app, files), '--import', register, ...inspectorArguments(settings), ...execArgv],
    cwd,
    stdio: [...stdio, 'pipe', 'pipe'],
    // Left out, they would stay what they were for the pool before.
    uid: uid as number,
    gid: gid as number,
    ...inspectorSettings(settings),
  })
  const listenPipe = stdio.length + 1
  const worker = cluster.fork({ ...environmentOf(options), ...startVariable(stdio.length) })
  try {
    sendStart(worker.process.stdio?.[stdio.length] as Writable | undefined, { ...start, ends: link.ends, listenPipe })
    const listens = worker.process.stdio?.[listenPipe] as Duplex | null | undefined
    if (listens) answerListens(listens, options.onListen)
    return follow(worker, options)
  } catch (error) {
    worker.process.kill('SIGKILL')
    throw error
  }
}

/** What the worker's environment has besides, or instead of, that of this process. What the config says goes before, but for a worker's own place. */
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

/** Hears what a process says, and how it ends. */
function follow(worker: ClusterWorker, options: SpawnOptions): SpawnedProcess {
  const { link, settings } = options
  const child = worker.process
  const kill = (why: string) => {
    options.onLine('stderr', `killed: ${why}`)
    child.kill('SIGKILL')
  }
  link.started(child, () => kill('it does not read what the primary tells it'))
  guardIpc(child, settings, kill)
  if (settings.nice !== undefined && child.pid !== undefined) setNice(child.pid, settings.nice, options.onLine)
  const { control } = link
  // Without a descriptor left there are no pipes and no process; the error comes as an event.
  if (child.stdout) readLines(child.stdout, (line) => options.onLine('stdout', line))
  if (child.stderr) readLines(child.stderr, (line) => options.onLine('stderr', line))
  child.once('exit', (code: number | null, signal: string | null) => {
    afterOutput(child.stderr, () => link.afterExit(() => options.onExit(code, signal)))
  })
  worker.on('error', (error: Error) => {
    // EPIPE to a worker that has just died says nothing new.
    if (child.pid !== undefined || !(worker.id in (cluster.workers ?? {}))) return
    // Node forgets those that have ended, and this one never began.
    delete cluster.workers?.[worker.id]
    options.onFailed(error)
  })
  const hear = (message: unknown): boolean => {
    const ours = readFromWorker(message)
    if (ours !== undefined) options.onMessage(ours)
    return ours !== undefined
  }
  control?.onFrame(hear)
  let isLeaving = false
  if (link.ends.kind === 'portable') {
    onceDisconnected(child, () => {
      if (!isLeaving) kill('its app has closed the IPC channel, over which connections come to it')
    })
  }
  return {
    pid: child.pid ?? 0,
    send(message) {
      isLeaving ||= message.switchyard === 'leave'
      control?.send(message)
    },
    kill(signal) {
      isLeaving = true
      child.kill(signal)
    },
  }
}

/** What it said last may come after the news of its end; but its own children may hold the pipe. */
function afterOutput(stderr: Readable | null | undefined, then: () => void): void {
  if (stderr?.closed !== false) return then()
  const heard = () => {
    clearTimeout(timer)
    stderr.off('close', heard)
    then()
  }
  const timer = setTimeout(heard, LAST_WORDS_MS)
  stderr.once('close', heard)
}

/** Calls `then` when the process has closed its IPC channel and lives on. */
function onceDisconnected(child: ChildProcess, then: () => void): void {
  child.once('disconnect', () => {
    const timer = setTimeout(then, DISCONNECTED_MS)
    if (child.exitCode !== null || child.signalCode !== null) clearTimeout(timer)
    child.once('exit', () => clearTimeout(timer))
  })
}

function setNice(pid: number, nice: number, onLine: SpawnOptions['onLine']): void {
  try {
    setPriority(pid, nice)
  } catch (error) {
    // Only root may ask for more than others have; or the process is gone already.
    onLine('stderr', `nice ${nice}: ${(error as Error).message}`)
  }
}

/** Node's IPC carries what apps say to each other and node:cluster's own protocol: nothing of ours, and nothing that is believed. */
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
        kill(`node:cluster can't handle what it asked for: ${(error as Error).message}`)
      }
    },
  })
}

/** Node strips types itself from 22.18 on; before that tsx does, which starts an app several times sooner than the loader of our configs. */
function typescriptLoader(app: string, files: ReleaseFiles): string[] {
  if (!TYPESCRIPT.has(extname(app)) || ('typescript' in process.features && process.features.typescript)) return []
  return ['--import', files.dependency('tsx')]
}
