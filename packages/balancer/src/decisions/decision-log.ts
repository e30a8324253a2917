// Records decisions while there are readers, or always if the config says so. Off, it costs a test of one field for each connection.

import type { KeyHasher } from '@switchyard/routing'
import type { Decision } from './decision.ts'
import { DecisionRing, type MadeDecision } from './decision-ring.ts'

/** Recording that a reader has begun ends when no reader has come for this long. */
const UNREAD_MS = 10 * 60_000
const FOLLOW_POLL_MS = 20
/** While more decisions are there than a follower may read at a time. */
const BEHIND_POLL_MS = 4
/** Followers make objects and text of each decision. This bounds how long that keeps the primary from accepting. */
const FOLLOW_BUDGET_MS = 1

export interface DecisionLogOptions {
  /** Record from the start on, and without end. */
  readonly isAlwaysOn: boolean
  readonly hasher: KeyHasher
}

/** `lost`: so many decisions were overwritten before they could be read. */
export type DecisionLine = { readonly decision: Decision } | { readonly lost: number }

export class DecisionLog {
  /** Called when recording has begun or ended. */
  onSwitched: (isOn: boolean) => void = () => {}
  private readonly hasher: KeyHasher
  private isAlwaysOn: boolean
  private ring: DecisionRing | undefined
  private followers = 0
  private timer: NodeJS.Timeout | undefined

  constructor({ isAlwaysOn, hasher }: DecisionLogOptions) {
    this.hasher = hasher
    this.isAlwaysOn = isAlwaysOn
    this.configure(isAlwaysOn)
  }

  get isOn(): boolean {
    return this.ring !== undefined
  }

  /** Applies the config of a reload. */
  configure(isAlwaysOn: boolean): void {
    this.isAlwaysOn = isAlwaysOn
    if (isAlwaysOn) this.open()
    else if (this.isOn) this.keepOn()
  }

  record(made: MadeDecision): void {
    this.ring?.record(made)
  }

  /** The newest decisions that meet the condition, at most `count`, oldest first. Recording begins with the first call. */
  last(count: number, condition: (decision: Decision) => boolean = () => true): Decision[] {
    const ring = this.keepOn()
    const found: Decision[] = []
    for (let number = ring.recorded; number >= ring.oldest && found.length < count; number--) {
      const decision = ring.read(number)
      if (decision !== undefined && condition(decision)) found.push(decision)
    }
    return found.reverse()
  }

  /** Calls back for each decision from now on, until the returned function is called. */
  follow(onLine: (line: DecisionLine) => void): () => void {
    const ring = this.keepOn()
    let next = ring.recorded + 1
    const poll = (): void => {
      if (next < ring.oldest) {
        onLine({ lost: ring.oldest - next })
        next = ring.oldest
      }
      for (const deadline = performance.now() + FOLLOW_BUDGET_MS; next <= ring.recorded && performance.now() < deadline; next++) {
        const decision = ring.read(next)
        if (decision !== undefined) onLine({ decision })
      }
      timer = setTimeout(poll, next <= ring.recorded ? BEHIND_POLL_MS : FOLLOW_POLL_MS)
    }
    let timer = setTimeout(poll, FOLLOW_POLL_MS)
    this.followers++
    return () => {
      clearTimeout(timer)
      this.followers--
      this.keepOn()
    }
  }

  stop(): void {
    clearTimeout(this.timer)
    this.ring = undefined
  }

  /** A reader is here: recording goes on, and its end is put off. */
  private keepOn(): DecisionRing {
    const ring = this.open()
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      if (this.isAlwaysOn) return
      if (this.followers > 0) this.keepOn()
      else {
        this.ring = undefined
        this.onSwitched(false)
      }
    }, UNREAD_MS)
    this.timer.unref()
    return ring
  }

  private open(): DecisionRing {
    if (this.ring !== undefined) return this.ring
    const ring = new DecisionRing(this.hasher)
    this.ring = ring
    this.onSwitched(true)
    return ring
  }
}
