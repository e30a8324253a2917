// Visitors of an app that sets a session cookie for each, in the memory of one worker.

import { assert } from '../../../../../test/suite.ts'
import { type Answer, exchange, get, json } from './raw-client.ts'
import type { RunningBalancer } from './running-balancer.ts'

export interface SlotAnswer {
  readonly pid: number
  readonly slot: number
  /** Did this process create the session? */
  readonly isOwn: boolean
}

export interface Visitor {
  readonly cookie: string
  readonly slot: number
}

export function cookieOf(answer: Answer): string | undefined {
  return answer.headers
    .get('set-cookie')
    ?.find((field) => field.startsWith('connect.sid='))
    ?.split(';')[0]
}

/** Creates `count` visitors, one after the other. */
export async function newVisitors(balancer: RunningBalancer, count: number): Promise<Visitor[]> {
  const visitors: Visitor[] = []
  for (let index = 0; index < count; index++) {
    const answer = await exchange(balancer.port, get('/'))
    const { slot, isOwn } = json<SlotAnswer>(answer)
    assert.ok(isOwn)
    visitors.push({ slot, cookie: cookieOf(answer) as string })
  }
  return visitors
}

export async function visit(balancer: RunningBalancer, { cookie }: Pick<Visitor, 'cookie'>, path = '/'): Promise<SlotAnswer> {
  return json<SlotAnswer>(await exchange(balancer.port, get(path, { Cookie: `first=1; ${cookie}` })))
}

/** Sends two requests of each visitor, which must reach its slot. Resolves with the answers. */
export async function visitTwice(balancer: RunningBalancer, visitors: readonly Visitor[]): Promise<SlotAnswer[]> {
  const all: SlotAnswer[] = []
  for (const visitor of [...visitors, ...visitors]) {
    const said = await visit(balancer, visitor)
    assert.is(said.slot, visitor.slot)
    all.push(said)
  }
  return all
}

export async function metric(balancer: RunningBalancer, name: string): Promise<number> {
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await balancer.metrics())?.[1])
}
