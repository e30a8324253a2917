// npm run bench -- --logs: workers print lines into log files. What does a line cost, in all processes together?

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LogContender } from './contenders.ts'
import { cpuTimes, untilIdle } from './cpu.ts'
import { fetchCommand } from './fetched.ts'
import { startServer } from './server.ts'
import { inTurn } from './turn.ts'

export interface LogSample {
  readonly contender: string
  readonly round: number
  readonly lines: number
  /** Of all processes. */
  readonly cpuMs: number
}

export interface LogOptions {
  readonly contenders: readonly LogContender[]
  readonly rounds: number
  /** Lines of a round. */
  readonly lines: number
}

/** Requests at the same time: one for each worker. */
const CLIENTS = 2
const PRINT_MS = 300_000

/** Each contender in turn, once a round. A package that cannot be fetched is left out, and a line says so. */
export async function measureLogs(options: LogOptions, progress: (line: string) => void): Promise<LogSample[]> {
  const commands = new Map<LogContender, string>()
  for (const contender of options.contenders) {
    try {
      commands.set(contender, contender.fetched === undefined ? '' : await fetchCommand(contender.fetched))
    } catch (error) {
      progress(`${(error as Error).message.trim()}: '${contender.name}' is left out`)
    }
  }
  const samples: LogSample[] = []
  for (let round = 1; round <= options.rounds; round++) {
    for (const contender of inTurn([...commands.keys()], round)) {
      const sample = await measureTurn(contender, commands.get(contender) as string, round, options.lines)
      samples.push(sample)
      progress(`round ${round}: ${contender.name} ${((sample.cpuMs * 1000) / sample.lines).toFixed(2)} µs`)
    }
  }
  return samples
}

async function measureTurn(contender: LogContender, command: string, round: number, lines: number): Promise<LogSample> {
  const place = { folder: mkdtempSync(join(tmpdir(), 'bench-logs-')), command }
  const { name } = contender
  try {
    const server = await startServer({ name, args: contender.start(place), env: contender.env(place) })
    try {
      // V8 compiles what prints.
      await print(server.port, Math.ceil(lines / 10))
      await untilIdle(server.pid)
      const before = sumOf(server.pid)
      await print(server.port, lines)
      await untilIdle(server.pid)
      return { contender: name, round, lines: CLIENTS * Math.ceil(lines / CLIENTS), cpuMs: sumOf(server.pid) - before }
    } finally {
      await server.stop()
    }
  } finally {
    rmSync(place.folder, { recursive: true, force: true })
  }
}

async function print(port: number, lines: number): Promise<void> {
  const url = `http://127.0.0.1:${port}/?lines=${Math.ceil(lines / CLIENTS)}`
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const response = await fetch(url, { signal: AbortSignal.timeout(PRINT_MS) })
      if ((await response.text()) !== 'printed\n') throw new Error(`${url} was answered with ${response.status}`)
    }),
  )
}

function sumOf(pid: number): number {
  return [...cpuTimes(pid).values()].reduce((sum, cpuMs) => sum + cpuMs, 0)
}
