// Clients that send half a head and then nothing. Each must get a 408 in time, and other clients must be served meanwhile.

import { exchange, get, RawClient, thinkTime } from './raw-client.ts'
import { startBalancer } from './running-balancer.ts'

const CONNECTING_AT_ONCE = 100

export interface HalfHeadTotals {
  answered: number
  /** The longest time from connecting to the answer, and the shortest time from the half head to the answer. */
  longestMs: number
  shortestMs: number
  /** Connections with an incomplete head at the same time. */
  held: number
  /** Requests of another client that were answered meanwhile, and the slowest of them. */
  served: number
  slowestServedMs: number
  faults: string[]
}

/** `slackMs`: the last answer may come this long after the deadline. */
export async function holdHalfHeads(count: number, headTimeoutMs: number, slackMs: number): Promise<HalfHeadTotals> {
  const balancer = await startBalancer({ config: { app: 'echo-app.mjs', pools: { web: { workers: 2 } }, headTimeoutMs } })
  await balancer.untilAllReady()
  const descriptors = balancer.descriptors
  const totals: HalfHeadTotals = {
    answered: 0,
    held: 0,
    longestMs: 0,
    shortestMs: Number.POSITIVE_INFINITY,
    served: 0,
    slowestServedMs: 0,
    faults: [],
  }
  const held: Promise<void>[] = []

  async function hold(number: number): Promise<void> {
    const startedAt = performance.now()
    const client = await new RawClient(balancer.port).connected()
    // The heads are cut everywhere: in the request line, in a field, and before the empty line.
    const whole = get(`/half/${number}`, { 'X-Field': 'v'.repeat(number % 200) })
    client.write(whole.slice(0, 1 + ((number * 7919) % (whole.length - 1))))
    const sentAt = performance.now()
    held.push(refused(client, startedAt, sentAt, number))
  }

  async function refused(client: RawClient, startedAt: number, sentAt: number, number: number): Promise<void> {
    try {
      const { status } = await client.answer(headTimeoutMs + 10_000)
      const now = performance.now()
      if (status !== 408) totals.faults.push(`client ${number} was answered ${status}`)
      else totals.answered++
      totals.longestMs = Math.max(totals.longestMs, now - startedAt)
      totals.shortestMs = Math.min(totals.shortestMs, now - sentAt)
      await client.over()
    } catch (error) {
      totals.faults.push(`client ${number}: ${(error as Error).message}`)
    } finally {
      client.destroy()
    }
  }

  for (let from = 0; from < count; from += CONNECTING_AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(CONNECTING_AT_ONCE, count - from) }, (_, index) => hold(from + index)))
  }
  const { connections } = await balancer.untilStatus(({ connections }) => connections.accepted >= count, 'all connections accepted')
  totals.held = connections.waiting.head

  let over = false
  const ended = Promise.all(held).then(() => {
    over = true
  })
  while (!over && totals.faults.length === 0) {
    const startedAt = performance.now()
    const { status } = await exchange(balancer.port, get('/'), 5_000)
    totals.slowestServedMs = Math.max(totals.slowestServedMs, performance.now() - startedAt)
    if (status !== 200) totals.faults.push(`another client was answered ${status}`)
    if (totals.answered === 0) totals.served++
    // One request after the other: each measures its own wait.
    await thinkTime(5)
  }
  await ended
  if (totals.longestMs > headTimeoutMs + slackMs) totals.faults.push(`an answer took ${Math.round(totals.longestMs)} ms`)
  const status = await balancer.status()
  if (status.connections.refused['head-timeout'] !== count)
    totals.faults.push(`${status.connections.refused['head-timeout']} were counted as head-timeout`)
  await balancer.untilDescriptors(descriptors).catch((error) => totals.faults.push(error.message))
  const code = await balancer.stop()
  if (code !== 0) totals.faults.push(`the balancer ended with ${code}`)
  return totals
}
