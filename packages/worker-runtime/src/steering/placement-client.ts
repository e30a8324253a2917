// Asks the primary which worker should serve a request whose connection can't move. Open questions are bounded in number and time.

import { dirname, join } from 'node:path'
import { HERE, LATER, type Outbox, type Verdict } from '@switchyard/handoff'
import type { Target } from '../forward/forwarder.ts'
import type { Runtime } from '../runtime.ts'
import { socketForListener } from '../server/private-sockets.ts'

const MAX_OPEN = 4096
const ASK_AGAIN_MS = 20
const MAX_ID = 2 ** 30

/** What the primary needs to know of the request. */
export interface PlacementRequest {
  readonly reason: number
  /** The listener of its connection. */
  readonly listener: number
  readonly address: string
  /** The ClientHello around it, as `helloText`; undefined: there is none, or no route asks for it. */
  readonly hello?: string | undefined
  /** In canonical form. */
  readonly head: string
}

/** The open questions of one worker. */
export class PlacementClient {
  private readonly runtime: Runtime
  private readonly outbox: Outbox
  private readonly open = new Map<number, (verdict: Verdict) => void>()
  private lastId = 0

  constructor(runtime: Runtime, outbox: Outbox) {
    this.runtime = runtime
    this.outbox = outbox
  }

  /** Finds a target by present load, and waits for one as long as a queued connection does. `failed`: sockets of workers that died with this request. */
  async target(placement: PlacementRequest, failed: readonly string[]): Promise<Target> {
    const deadline = performance.now() + this.runtime.start.forwardTimeoutMs
    const avoid = failed.length === 0 ? 0 : this.idOf(failed[failed.length - 1] as string)
    for (;;) {
      const verdict = await this.ask(avoid, placement)
      if (verdict === HERE) return 'here'
      if (verdict > 0) return { socketPath: this.pathOf(verdict, placement.listener) }
      if (verdict !== LATER || performance.now() >= deadline) return 'none'
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS))
    }
  }

  onAnswer(id: number, verdict: Verdict): void {
    this.open.get(id)?.(verdict)
  }

  private ask(avoid: number, { reason, listener, address, head, hello }: PlacementRequest): Promise<Verdict> {
    if (this.open.size >= MAX_OPEN) return Promise.resolve(LATER)
    this.lastId = (this.lastId % MAX_ID) + 1
    const id = this.lastId
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(LATER), this.runtime.start.forwardTimeoutMs)
      const settle = (verdict: Verdict) => {
        clearTimeout(timer)
        this.open.delete(id)
        resolve(verdict)
      }
      this.open.set(id, settle)
      this.outbox.ask(id, avoid, reason, listener, address, head, hello)
    })
  }

  private pathOf(workerId: number, listener: number): string {
    return socketForListener(join(dirname(dirname(this.runtime.start.privateSocket)), String(workerId)), listener)
  }

  private idOf(path: string): number {
    return Number(path.split('/').at(-2)) || 0
  }
}
