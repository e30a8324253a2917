// Child processes of a test: their output is kept, and none outlives the suite that started it.

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { atSuiteEnd } from '../suite.ts'
import { patience } from './patience.ts'

export interface LoggedChild {
  readonly process: ChildProcess
  /** Everything written to stdout and stderr so far, in order of arrival. */
  output(): string
  stdout(): string
  stderr(): string
  /**
   * Resolves with the first match in the output. Rejects after `quietMs` without output, stretched, or when the child ends without a
   * match, and shows the output.
   */
  untilOutput(pattern: RegExp, quietMs?: number): Promise<RegExpMatchArray>
  /** Resolves when the process has ended and its output is complete. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  /** SIGTERM, after `graceMs`, stretched, SIGKILL; resolves when it has ended. */
  stop(graceMs?: number): Promise<void>
}

/** Starts `command`. `cwd`, `env` and what follows stderr in `stdio` may be given; stdout and stderr are always captured. */
export function spawnLogged(command: string, args: readonly string[], options: SpawnOptions = {}): LoggedChild {
  const more = Array.isArray(options.stdio) ? options.stdio.slice(3) : []
  const child = spawn(command, [...args], { ...options, stdio: ['ignore', 'pipe', 'pipe', ...more] })
  let all = ''
  let out = ''
  let err = ''
  let over = false
  const listeners = new Set<() => void>()
  const changed = (): void => {
    for (const listener of [...listeners]) listener()
  }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    all += text
    out += text
    changed()
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    all += text
    err += text
    changed()
  })
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    const end = (code: number | null, signal: NodeJS.Signals | null): void => {
      over = true
      resolve({ code, signal })
      changed()
    }
    child.once('close', end)
    child.once('error', (error) => {
      all += `${error.message}\n`
      if (child.pid === undefined) end(null, null)
    })
  })

  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => child.pid === undefined && resolve())
  })
  const stop = async (graceMs = 3_000): Promise<void> => {
    if (over) return
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), patience(graceMs))
    await exited
    clearTimeout(timer)
    // Its own children may still hold the pipes.
    const letGo = setTimeout(() => {
      child.stdout?.destroy()
      child.stderr?.destroy()
    }, patience(500))
    await ended
    clearTimeout(letGo)
  }
  atSuiteEnd(() => stop())

  const untilOutput = (pattern: RegExp, quietMs = 10_000): Promise<RegExpMatchArray> =>
    new Promise((resolve, reject) => {
      const timeoutMs = patience(quietMs)
      const finish = (act: () => void): void => {
        clearTimeout(timer)
        listeners.delete(look)
        act()
      }
      const fail = (why: string): void => finish(() => reject(new Error(`${why} before ${pattern} in its output:\n${all}`)))
      const look = (): void => {
        const match = all.match(pattern)
        if (match) finish(() => resolve(match))
        else if (over) fail('the process ended')
      }
      const timer = setTimeout(() => fail(`${timeoutMs} ms went by`), timeoutMs)
      listeners.add(look)
      look()
    })

  return { process: child, output: () => all, stdout: () => out, stderr: () => err, untilOutput, ended, stop }
}
