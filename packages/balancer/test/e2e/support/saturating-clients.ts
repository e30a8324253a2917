// More clients than the workers can serve, who ask without a pause and check every answer: that it comes once, whole, and is that to their own request.

import { get, RawClient, type Target } from './raw-client.ts'

const ANSWER_MS = 30_000
/** As long as the fixture's. */
const BODY_BYTES = 2_000

export interface SaturatingOptions {
  readonly target: Target
  readonly clients: number
  /** What a request burns. */
  readonly ms: number
  /** On one connection for each client, until an answer says that it is the last; left out: on a new one for each request. */
  readonly isKept?: boolean
  /** Asked before each request, with how many have been asked. */
  readonly isOver: (asked: number) => boolean
  /** Begins the names of the requests, where several crowds ask. */
  readonly prefix?: string
}

/** A request that was not answered, and what is known of it. */
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
  /** Answers that the client with the fewest had. */
  fewest: number
  /** Connections that were opened. */
  opened: number
  readonly unserved: Unanswered[]
  /** Answers that were wrong, in words. */
  readonly wrong: string[]
}

/** Resolves when every client has its last answer. Never rejects. */
export async function saturate({
  target,
  clients,
  ms,
  isKept = false,
  isOver,
  prefix = 'r',
}: SaturatingOptions): Promise<SaturatingTotals> {
  const totals: SaturatingTotals = { asked: 0, answered: 0, fewest: 0, opened: 0, unserved: [], wrong: [] }

  async function ask(client: RawClient, name: string): Promise<{ pid: number; isLast: boolean }> {
    const request = get(`/${name}?ms=${ms}`, isKept ? { Connection: 'keep-alive' } : {})
    const { status, headers, body } = await client.write(request).answer(ANSWER_MS)
    const expected = `${name} `.repeat(Math.ceil(BODY_BYTES / (name.length + 1))).slice(0, BODY_BYTES)
    if (status !== 200 || body.toString('latin1') !== expected)
      totals.wrong.push(`${name}: ${status} ${body.toString('latin1').slice(0, 80)}`)
    // A second answer would be on its way.
    if (!isKept) await client.over(ANSWER_MS)
    if (client.unread > 0) totals.wrong.push(`${name}: ${client.unread} bytes behind its answer`)
    totals.answered++
    return { pid: Number(headers.get('x-pid')?.[0]), isLast: !isKept || headers.get('connection')?.[0] === 'close' }
  }

  /** Gives how many answers one client had. */
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
        answers++
        if (isLast) end()
      } catch (error) {
        totals.unserved.push({ name, why: (error as Error).message, holder, atMs: Date.now() })
        end()
      }
    }
    client?.destroy()
    return answers
  }

  totals.fewest = Math.min(...(await Promise.all(Array.from({ length: clients }, run))))
  return totals
}

/** An `isOver` for so long from now. */
export function forMs(ms: number): () => boolean {
  const endsAt = performance.now() + ms
  return () => performance.now() >= endsAt
}
