// Every process that the bench starts. None outlives it.

import { type ChildProcess, spawn } from 'node:child_process'

export interface Child {
  readonly pid: number
  readonly process: ChildProcess
  /** The end of everything written so far. */
  output(): string
  /** Resolves with the exit code when the process has ended and its output is complete. */
  readonly ended: Promise<number | null>
  /** SIGTERM, after a while SIGKILL for the process and all that it started; resolves when it has ended. */
  stop(): Promise<void>
}

const OUTPUT_CHARS = 64 * 1024
const STOP_MS = 5_000

const alive = new Set<Child>()

/** Starts a command at the head of its own process group. Throws when there is no such command. */
export function startChild(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Child {
  const { PORT: _, ...inherited } = process.env
  const started = spawn(command, [...args], { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...inherited, ...env } })
  const { pid } = started
  if (pid === undefined) {
    started.once('error', () => {})
    throw new Error(`${command} could not be started`)
  }
  let output = ''
  for (const stream of [started.stdout, started.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_CHARS)
    })
  }
  const ended = new Promise<number | null>((resolve) => {
    started.once('close', (code) => {
      alive.delete(child)
      resolve(code)
    })
  })
  const stop = async (): Promise<void> => {
    started.kill('SIGTERM')
    const timer = setTimeout(() => killGroup(pid), STOP_MS)
    await ended
    clearTimeout(timer)
    killGroup(pid)
  }
  const child: Child = { pid, process: started, output: () => output, ended, stop }
  alive.add(child)
  return child
}

/** Stops every child that still runs. */
export async function stopChildren(): Promise<void> {
  await Promise.all([...alive].map((child) => child.stop()))
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // The process group is empty.
  }
}
