// `balancer profile` and `balancer heap-snapshot`: write a file about a running worker that the developer tools of Chrome open.

import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { BalancerError } from '../../errors.ts'
import { type FindBalancerOptions, findBalancer } from '../find-balancer.ts'
import { type InspectedWorker, openInspector } from '../inspection/worker-inspector.ts'
import type { CliIo } from '../io.ts'
import { printable } from '../printable.ts'

export interface InspectOptions extends FindBalancerOptions {
  pool: string | undefined
  slot: number
  proxy?: boolean | undefined
  /** Default: a name of worker and time, in the current folder. */
  output?: string | undefined
}

export interface ProfileOptions extends InspectOptions {
  seconds: number
}

/** Resolves with the exit code. Throws ERR_INSPECTOR, ERR_UNKNOWN_SEAT, ERR_NOT_RUNNING, or ERR_CONFIG if the file can't be written. */
export async function profile({ seconds, ...options }: ProfileOptions, io: CliIo): Promise<number> {
  return inspect(options, 'cpuprofile', io, async ({ name, inspector }, write) => {
    await inspector.send('Profiler.enable')
    await inspector.send('Profiler.start')
    io.stderr.write(`profiling ${name} for ${seconds} s\n`)
    await delay(seconds * 1000)
    const { profile } = await inspector.send('Profiler.stop')
    write(JSON.stringify(profile))
  })
}

/** The worker stands still meanwhile. Resolves with the exit code. Throws as `profile` does. */
export async function heapSnapshot(options: InspectOptions, io: CliIo): Promise<number> {
  return inspect(options, 'heapsnapshot', io, async ({ name, inspector }, write) => {
    inspector.on('HeapProfiler.addHeapSnapshotChunk', ({ chunk }) => write(String(chunk)))
    io.stderr.write(`taking a snapshot of the heap of ${name}: the worker stands still meanwhile\n`)
    await inspector.send('HeapProfiler.takeHeapSnapshot', { reportProgress: false })
  })
}

async function inspect(
  options: InspectOptions,
  extension: string,
  io: CliIo,
  take: (worker: InspectedWorker, write: (text: string) => void) => Promise<void>,
): Promise<number> {
  const worker = await openInspector(await findBalancer(options, io), options)
  try {
    const time = new Date().toISOString().slice(0, 19).replaceAll(':', '-')
    const path = resolve(io.cwd, options.output ?? `${worker.name.replace('/', '-')}-${time}.${extension}`)
    const file = open(path)
    try {
      await Promise.race([take(worker, (text) => void writeSync(file, text)), worker.inspector.lost])
    } catch (cause) {
      rmSync(path, { force: true })
      throw new BalancerError('ERR_INSPECTOR', `${worker.name}: ${(cause as Error).message}`, { source: 'system', cause })
    } finally {
      closeSync(file)
    }
    io.stdout.write(printable(`${path} (${Math.ceil(statSync(path).size / 1024)} KiB): open it in the developer tools of Chrome\n`))
    return 0
  } finally {
    await worker.close()
  }
}

/** For this user alone: what a worker has in memory may be secret. */
function open(path: string): number {
  try {
    return openSync(path, 'w', 0o600)
  } catch (cause) {
    throw new BalancerError('ERR_CONFIG', `The file can't be written: ${(cause as Error).message}. Name another with --output`, {
      source: 'system',
      cause,
    })
  }
}
