// The Redis of one contender: without persistence, and stopped with it.

import { freePort } from '../../test/support/ports.ts'
import { startChild } from './children.ts'

export interface RedisServer {
  readonly pid: number
  readonly url: string
  /** Commands that clients have sent for sessions so far. Commands inside a script are not counted. */
  roundTrips(): Promise<number>
  stop(): Promise<void>
}

const START_MS = 10_000
/** The commands that connect-redis and the stores here send. */
const SENT = ['eval', 'evalsha', 'get', 'set', 'expire', 'del'] as const

/** Rejects with its output when it does not start. */
export async function startRedis(): Promise<RedisServer> {
  // Loaded here because the package is large, and most runs have no Redis.
  const { createClient } = await import('redis')
  const port = await freePort()
  const child = startChild('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', '--save', ''])
  const url = `redis://127.0.0.1:${port}`
  const client = createClient({ url })
  // Clients of the server get this error.
  client.on('error', () => {})
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string): void => {
        clearTimeout(timer)
        reject(new Error(`redis-server ${why}:\n${child.output()}`))
      }
      const timer = setTimeout(() => fail('does not say that it is ready'), START_MS)
      void child.ended.then((code) => fail(`ended with ${code} while starting`))
      child.process.stdout?.on('data', () => {
        if (!child.output().includes('Ready to accept connections')) return
        clearTimeout(timer)
        resolve()
      })
    })
    await client.connect()
  } catch (error) {
    client.destroy()
    await child.stop()
    throw error
  }
  return {
    pid: child.pid,
    url,
    roundTrips: async () => {
      const text = await client.info('commandstats')
      return SENT.reduce((sum, name) => sum + Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(text)?.[1] ?? 0), 0)
    },
    stop: async () => {
      client.destroy()
      await child.stop()
    },
  }
}
