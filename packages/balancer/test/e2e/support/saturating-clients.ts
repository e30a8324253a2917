// More clients than the workers can serve, which send requests without a pause. Each checks that its answer is complete, is for its own
// request, and comes once.

import { get, RawClient, type Target } from './raw-client.ts'

const ANSWER_MS = 30_000
/** As in the fixture. */
const BODY_BYTES = 2_000

export interface SaturatingOptions {
  readonly target: Target
  readonly clients: number
  /** CPU time of a request. */
  readonly ms: number
  /** Each client keeps its connection until an answer closes it. Left out: one connection for each request. */
  readonly isKept?: boolean
  /** Called before each request with the number of requests sent so far. */
  readonly isOver: (asked: number) => boolean
  /** Answers count as `settled` from then on. Left out: all. */
  readonly settleMs?: number
  /** Prefix of the requests' names, unique among runs at the same time. */
  readonly prefix?: string
}

export interface Unanswered {
  readonly name: string
  readonly why: string
  /** The process that gave the last answer on this connection; undefined: there was none. */
  readonly holder: number | undefined
  readonly atMs: number
}

export interface SaturatingTotals {
  asked: number
  answered: number
  /** Answers after `settleMs`, and those of the client with the fewest. */
  settled: number
  fewest: number
  /** Opened connections. */
  opened: number
  readonly unserved: Unanswered[]

  readonly wrong: string[]
}

/** Runs the clients. Resolves when each has its last answer. Never rejects. */
export async function saturate({
  target,
  clients,
  ms,
  isKept = false,
  isOver,
  settleMs = 0,
  prefix = 'r',
}: SaturatingOptions): Promise<SaturatingTotals> {
  const totals: SaturatingTotals = { asked: 0, answered: 0, settled: 0, fewest: 0, opened: 0, unserved: [], wrong: [] }

  const settledAtMs = performance.now() + settleMs

  async function ask(client: RawClient, name: string): Promise<{ pid: number; isLast: boolean }> {
    const request = get(`/${name}?ms=${ms}`, isKept ? { Connection: 'keep-alive' } : {})
    const { status, headers, body } = await client.write(request).answer(ANSWER_MS)
    const expected = `${name} `.repeat(Math.ceil(BODY_BYTES / (name.length + 1))).slice(0, BODY_BYTES)
    if (status !== 200 || body.toString('latin1') !== expected)
      totals.wrong.push(`${name}: ${status} ${body.toString('latin1').slice(0, 80)}`)
    // A second answer would arrive before the connection ends.
    if (!isKept) await client.over(ANSWER_MS)
    if (client.unread > 0) totals.wrong.push(`${name}: ${client.unread} bytes behind its answer`)
    totals.answered++
    return { pid: Number(headers.get('x-pid')?.[0]), isLast: !isKept || headers.get('connection')?.[0] === 'close' }
  }

  /** Resolves with the number of settled answers of one client. */
  async function run(): Promise<number> {
    let answers = 0
    let client: RawClient | undefined
    let holder: number | undefined
    while (!isOver(totals.asked)) {
      const name = `${prefix}${++totals.asked}`
      if (client === undefined) {
        client = new RawClient(target)
        totals.opened++
      }
      const end = (): void => {
        client?.destroy()
        client = holder = undefined
      }
      try {
        const { pid, isLast } = await ask(client, name)
        holder = pid
        if (performance.now() >= settledAtMs) answers++
        if (isLast) end()
      } catch (error) {
        totals.unserved.push({ name, why: (error as Error).message, holder, atMs: Date.now() })
        end()
      }
    }
    client?.destroy()
    return answers
  }

  const settled = await Promise.all(Array.from({ length: clients }, run))
  totals.settled = settled.reduce((sum, answers) => sum + answers, 0)
  totals.fewest = Math.min(...settled)
  return totals
}

/** An `isOver` that turns true after `ms`. */
export function forMs(ms: number): () => boolean {
  const endsAt = performance.now() + ms
  return () => performance.now() >= endsAt
}
