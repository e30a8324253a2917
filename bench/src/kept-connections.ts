// The connections of an open loop: each carries one request at a time and is never replaced.

import { Agent, request as openRequest } from 'node:http'

const REQUEST_MS = 30_000

/** What was asked of a connection has come to an end. `fault`: not with the answer that it should have. */
export type Done = (fault: string | undefined) => void

interface Waiting {
  readonly path: string
  readonly done: Done
}

export class KeptConnections {
  private readonly agents: readonly Agent[]
  private readonly busy: boolean[]
  private readonly port: number
  /** For any connection that comes free, in order of arrival. */
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
        this.send(index, path, (fault) => (fault === undefined || fault === NEW ? resolve() : reject(new Error(fault))))
      })
  }

  /** Asks on connection `index`; where that is busy on the next one that is free; where none is, on the first that will be. */
  ask(index: number, path: string, done: Done): void {
    const free = this.nextFree(index)
    if (free === undefined) this.waiting.push({ path, done })
    else this.send(free, path, done)
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
    let over = false
    const end = (fault: string | undefined): void => {
      if (over) return
      over = true
      done(fault)
      // The agent takes the socket back in a tick of its own.
      setImmediate(() => this.free(index))
    }
    const agent = this.agents[index] as Agent
    const request = openRequest({ host: '127.0.0.1', port: this.port, path, agent, timeout: REQUEST_MS }, (response) => {
      response.resume()
      response.once('end', () =>
        end(response.statusCode === 200 ? (request.reusedSocket ? undefined : NEW) : `answers of ${response.statusCode}`),
      )
      response.once('error', () => end('answers cut short'))
    })
    request.once('timeout', () => request.destroy(new Error('timeout')))
    request.once('error', ({ message }) => end(message === 'timeout' ? 'timeouts' : 'socket errors'))
    request.end()
  }

  private free(index: number): void {
    const next = this.waiting.shift()
    if (next === undefined) this.busy[index] = false
    else this.send(index, next.path, next.done)
  }
}

/** It was answered on a connection that had to be opened for it. */
const NEW = 'connections lost'
