// The connections of an open loop that keeps them: each carries one request at a time and is never replaced.

import { Agent } from 'node:http'
import { type Connections, type Done, exchange } from './exchange.ts'

interface Waiting {
  readonly path: string
  readonly done: Done
}

/** The answer came on a connection that had to be opened for the request. */
const LOST = 'connections lost'

export class KeptConnections implements Connections {
  waited = 0
  private readonly agents: readonly Agent[]
  private readonly busy: boolean[]
  private readonly port: number
  /** Requests for any connection that becomes free, in order of arrival. */
  private readonly waiting: Waiting[] = []

  constructor(port: number, count: number) {
    this.port = port
    this.agents = Array.from({ length: count }, () => new Agent({ keepAlive: true, maxSockets: 1 }))
    this.busy = this.agents.map(() => false)
  }

  /** Opens all, one after the other, each with a request. */
  async open(path: string): Promise<void> {
    for (const index of this.agents.keys())
      await new Promise<void>((resolve, reject) => {
        this.send(index, path, (fault) => (fault === undefined || fault === LOST ? resolve() : reject(new Error(fault))))
      })
  }

  /** Sends on connection `index`; if that is busy, on the next free one; if none is free, on the first that becomes free. */
  ask(index: number, path: string, done: Done): void {
    const free = this.nextFree(index)
    if (free !== undefined) return this.send(free, path, done)
    this.waiting.push({ path, done })
    this.waited += 1
  }

  close(): void {
    for (const agent of this.agents) agent.destroy()
  }

  private nextFree(from: number): number | undefined {
    for (let step = 0; step < this.busy.length; step += 1) {
      const index = (from + step) % this.busy.length
      if (this.busy[index] === false) return index
    }
    return undefined
  }

  private send(index: number, path: string, done: Done): void {
    this.busy[index] = true
    exchange(this.port, path, this.agents[index] as Agent, (fault, reused) => {
      done(fault ?? (reused ? undefined : LOST))
      // The agent takes the socket back in a tick of its own.
      setImmediate(() => this.free(index))
    })
  }

  private free(index: number): void {
    const next = this.waiting.shift()
    if (next === undefined) this.busy[index] = false
    else this.send(index, next.path, next.done)
  }
}
