// socket.io clients over TLS that poll, change to a websocket, hang up and come again, each request on a new connection that resumes the client's session.

import { Agent } from 'node:https'
import { io, type Socket } from 'socket.io-client'
import { patience } from '../../../../../test/support/patience.ts'
import type { BalancerStatus } from '../../../src/status.ts'
import { certificate } from './certificate.ts'
import { type RunningBalancer, startBalancer } from './running-balancer.ts'

export interface WssRunOptions {
  readonly clients: number
  /** How often each client connects. */
  readonly sessions: number
  readonly workers: number
  readonly routes?: readonly object[]
  readonly policy?: object
  /** The app sets its own keys, so that tickets say nothing and cookies and session ids alone are sticky. */
  readonly hasOwnKeys?: boolean
}

export interface WssTotals {
  /** One for each kind, such as `Session ID unknown`. */
  readonly faults: string[]
  readonly requests: number
  readonly forwarded: number
  readonly sessions: number
}

const AT_ONCE = 25
/** Of a session: its begin, the client's first message, a poll, and the websocket. */
const MIN_REQUESTS = 4

/** Resolves when every client has had all of its sessions. */
export async function wssRun({ clients, sessions, workers, routes, policy, hasOwnKeys = false }: WssRunOptions): Promise<WssTotals> {
  const balancer = await startBalancer({
    config: {
      ...({ routes, policy } as object),
      pools: { web: { app: 'wss-socket-io-app.mjs', workers, env: { ...certificate(), ...(hasOwnKeys && { OWN_TICKET_KEYS: 'k' }) } } },
      drainTimeoutMs: 1_000,
    },
  })
  await balancer.untilAllReady()
  const faults = new Set<string>()
  let done = 0
  let waiting = clients
  const next = async (): Promise<void> => {
    while (waiting-- > 0) {
      const agent = new Agent({ keepAlive: false })
      for (let session = 0; session < sessions; session++) {
        await oneSession(balancer, agent, faults)
        done++
      }
      agent.destroy()
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, next))
  // Over the portable channel the workers report their counts from time to time.
  const status = await balancer.untilStatus((now) => requestsOf(now) >= done * MIN_REQUESTS, 'all requests counted', 30_000)
  const { moves } = status
  const requests = requestsOf(status)
  const forwarded = moves.forwarded.reduce((sum, { count }) => sum + count, 0)
  await balancer.stop()
  return { faults: [...faults], requests, forwarded, sessions: done }
}

function requestsOf({ routes }: BalancerStatus): number {
  return routes.flatMap(({ results }) => Object.values(results)).reduce((sum, count) => sum + count, 0)
}

/** Connects, changes to a websocket, asks for the slot, and hangs up. */
async function oneSession({ port }: RunningBalancer, agent: Agent, faults: Set<string>): Promise<void> {
  const socket = io(`https://localhost:${port}`, {
    ...{ agent, forceNew: true, reconnection: false, rejectUnauthorized: false, withCredentials: true },
  } as unknown as Parameters<typeof io>[1])
  try {
    await within(socket, 'connect', new Promise((resolve) => socket.once('connect', () => resolve(undefined))))
    const { engine } = socket.io
    if (engine.transport.name !== 'websocket')
      await within(socket, 'upgrade', new Promise((resolve) => engine.once('upgrade', () => resolve(undefined))))
    await within(socket, 'answer', new Promise((resolve) => socket.emit('where', resolve)))
  } catch (error) {
    faults.add((error as Error).message)
  } finally {
    socket.disconnect()
  }
}

/** Rejects when the client gets an error before, or waits for too long. */
function within(socket: Socket, what: string, event: Promise<unknown>): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${what}`)), patience(10_000))
    const fail = (error: Error & { context?: { responseText?: string } }) =>
      reject(new Error(`${what}: ${error.context?.responseText ?? error.message}`))
    const onClose = (reason: string) => reject(new Error(`${what}: closed, ${reason}`))
    socket.once('connect_error', fail)
    socket.once('disconnect', onClose)
    void event.then(resolve).finally(() => {
      clearTimeout(timer)
      socket.off('connect_error', fail)
      socket.off('disconnect', onClose)
    })
  })
}
