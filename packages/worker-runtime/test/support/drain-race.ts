// Clients that send without long pauses while one worker after another drains and exits.

import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { seededRandom } from '../../../../test/support/random.ts'
import { until } from '../../../../test/support/until.ts'
import type { DrainWorld } from './drain-world.ts'

export interface RaceOptions {
  /** Number of workers that drain. */
  readonly rounds: number
  readonly seed: number
}

export interface RaceTotals {
  answers: number
  /** Answers over a kept connection from another worker than the answer before. */
  moved: number
  faults: string[]
}

const CLIENTS = 12
const MOST_BYTES = 100_000
const PAUSE_MS = 30
const ANSWERS_A_ROUND = 50
const ENOUGH_FAULTS = 5

/** Runs to the end, or until there are faults. */
export async function drainRace(world: DrainWorld, { rounds, seed }: RaceOptions): Promise<RaceTotals> {
  const random = seededRandom(seed)
  const totals: RaceTotals = { answers: 0, moved: 0, faults: [] }
  const { primary, tls } = world
  let current = await world.start()
  let over = false
  primary.choose = () => current

  async function client(): Promise<void> {
    const options = { keepAlive: true, maxSockets: 1, rejectUnauthorized: false }
    const agent = tls === undefined ? new Agent(options) : new HttpsAgent(options)
    let last = ''
    while (!over && totals.faults.length < ENOUGH_FAULTS) {
      const body = random() < 0.3 ? 'x'.repeat(Math.floor(random() * MOST_BYTES)) : undefined
      try {
        const { pid, reused } = await send(agent, body)
        totals.answers++
        if (reused && pid !== last) totals.moved++
        last = pid
      } catch (error) {
        totals.faults.push(`${body === undefined ? 'GET' : `POST of ${body.length}`}: ${(error as Error).message}`)
      }
      if (random() < 0.5) await new Promise((resolve) => setTimeout(resolve, random() * PAUSE_MS))
    }
    agent.destroy()
  }

  function send(agent: Agent, body: string | undefined): Promise<{ pid: string; reused: boolean }> {
    return new Promise((resolve, reject) => {
      const options = {
        port: primary.port,
        host: '127.0.0.1',
        agent,
        method: body === undefined ? 'GET' : 'POST',
        rejectUnauthorized: false,
      }
      const request = (tls === undefined ? httpRequest : httpsRequest)(options, (response: IncomingMessage) => {
        const pid = String(response.headers['x-pid'])
        response.resume()
        response.once('error', reject)
        response.once('end', () => resolve({ pid, reused: request.reusedSocket }))
      })
      request.once('error', reject)
      request.end(body)
    })
  }

  const clients = Array.from({ length: CLIENTS }, client)
  for (let round = 0; round < rounds && totals.faults.length === 0; round++) {
    const [old, next] = [current, await (round < rounds - 1 ? world.start() : world.young())]
    await new Promise((resolve) => setTimeout(resolve, random() * PAUSE_MS))
    current = next
    await primary.retire(old)
    const before = totals.answers
    await until(() => totals.answers > before + ANSWERS_A_ROUND || totals.faults.length > 0, 10_000, 'answers')
  }
  over = true
  await Promise.all(clients)
  return totals
}
