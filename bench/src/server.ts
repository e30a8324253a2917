// A running contender.

import { startChild } from './children.ts'
import type { Contender } from './contenders.ts'

export interface RunningServer {
  readonly pid: number
  readonly port: number
  /** Its metrics page, if it has one. */
  readonly adminUrl: string | undefined
  stop(): Promise<void>
}

const READY = /ready: https?:\/\/127\.0\.0\.1:(\d+)/
const ADMIN = /"metrics":"(http:[^"]+)\/metrics"/
const START_MS = 20_000

/** Starts a contender and resolves when it prints its address within `startMs`. Rejects with its output when it does not. */
export async function startServer(
  { name, args, env = {} }: Pick<Contender, 'name' | 'args' | 'env'>,
  startMs = START_MS,
): Promise<RunningServer> {
  const child = startChild(process.execPath, args, { ...env, PORT: '0' })
  try {
    const port = await new Promise<number>((resolve, reject) => {
      const fail = (why: string): void => {
        clearTimeout(timer)
        reject(new Error(`${name} ${why}:\n${child.output()}`))
      }
      const timer = setTimeout(() => fail('does not say that it is ready'), startMs)
      void child.ended.then((code) => fail(`ended with ${code} while starting`))
      child.process.stdout?.on('data', () => {
        const match = READY.exec(child.output())
        if (match === null) return
        clearTimeout(timer)
        resolve(Number(match[1]))
      })
    })
    return { pid: child.pid, port, adminUrl: ADMIN.exec(child.output())?.[1], stop: child.stop }
  } catch (error) {
    await child.stop()
    throw error
  }
}
