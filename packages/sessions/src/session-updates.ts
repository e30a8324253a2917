// Updates of sessions as compare-and-set: what is there is changed and written if nobody else has written meanwhile, else the change is made again on what
// is there now. Updates of one session that come within this process while one is on its way go together, as one write.

import type { NearSession } from './near-cache.ts'
import type { Current, NearStore } from './near-store.ts'
import { SessionConflictError, SessionStoreError } from './session-store.ts'

/** Makes the next text of the one that is there; undefined: there is none, or it stays as it is. May be called several times. */
export type UpdateStep = (text: string | undefined) => string | undefined

interface Update {
  readonly step: UpdateStep
  readonly ttlMs: number
  readonly resolve: (isThere: boolean) => void
  readonly reject: (error: unknown) => void
  /** What it threw, on what is there now. */
  thrown: { readonly error: unknown } | undefined
}

export interface SessionUpdatesOptions {
  readonly attempts: number
  /** 0 to 1. */
  readonly chance: () => number
  readonly now: () => number
}

/** Updates that wait, of all sessions together. */
const MAX_WAITING = 16_384
/** Updates in one write: their steps run in one turn of the loop. */
const MAX_GROUP = 64
const MAX_REST_MS = 50

export class SessionUpdates {
  private readonly near: NearStore
  private readonly options: SessionUpdatesOptions
  /** Of each session that is being updated, those that wait. */
  private readonly queues = new Map<string, Update[]>()
  private waiting = 0

  constructor(near: NearStore, options: SessionUpdatesOptions) {
    this.near = near
    this.options = options
  }

  /**
   * Resolves with false when the session was destroyed; then nothing has happened. Rejects with what the step throws, with SessionConflictError, and with
   * SessionStoreError.
   */
  run(id: string, ttlMs: number, step: UpdateStep): Promise<boolean> {
    if (this.waiting >= MAX_WAITING) return Promise.reject(new SessionStoreError(`${MAX_WAITING} updates of sessions wait already`))
    this.waiting++
    return new Promise((resolve, reject) => {
      const update: Update = { step, ttlMs, resolve, reject, thrown: undefined }
      const queue = this.queues.get(id)
      if (queue !== undefined) return void queue.push(update)
      const own = [update]
      this.queues.set(id, own)
      void this.work(id, own)
    })
  }

  /**
   * Moves what is there elsewhere: `move` is called with it until it resolves with true, at most `attempts` times. Not at all when nothing is there.
   * Rejects with SessionConflictError, and with what `move` rejects with.
   */
  async move(id: string, move: (current: NearSession) => Promise<boolean>): Promise<void> {
    for (let attempt = 1; attempt <= this.options.attempts; attempt++) {
      const current = await this.near.read(id)
      if (typeof current === 'string' || (await move(current))) return
    }
    throw this.conflict()
  }

  private async work(id: string, queue: Update[]): Promise<void> {
    while (queue.length > 0) {
      const group = queue.splice(0, MAX_GROUP)
      this.waiting -= group.length
      let restMs = 0
      try {
        restMs = await this.commit(id, group)
      } catch (error) {
        // Those behind it would wait as long for the same.
        const failed = error instanceof SessionStoreError ? [...group, ...queue.splice(0)] : group
        this.waiting -= failed.length - group.length
        for (const { reject } of failed) reject(error)
      }
      if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs))
    }
    this.queues.delete(id)
  }

  /** Resolves with how long others should be let go first. */
  private async commit(id: string, group: readonly Update[]): Promise<number> {
    const { attempts, chance, now } = this.options
    const beganMs = now()
    const near = this.near.near(id)
    let current: Current = near ?? (await this.near.read(id))
    let isSure = near === undefined
    for (let attempt = 1; attempt <= attempts; attempt++) {
      if (current === 'ended') {
        for (const { resolve } of group) resolve(false)
        return 0
      }
      const next = applied(group, current)
      if (next === undefined) {
        // What came of a session that is no more as it was here is made again.
        const before: Current = current
        if (!isSure) current = await this.near.read(id)
        if (!isSure && !isSame(before, current)) {
          isSure = true
          continue
        }
        settle(group)
        return 0
      }
      const written = await this.near.write(id, next.text, next.ttlMs, current === 'absent' ? 0 : current.version)
      if (written === true) {
        settle(group)
        // Whoever has won against others is not at it again at once: each gets its turn, after about as long as they all take.
        return attempt === 1 ? 0 : Math.min(MAX_REST_MS, (now() - beganMs) * (0.5 + chance()))
      }
      current = written === 'ended' ? written : written.found
      isSure = true
    }
    throw this.conflict()
  }

  private conflict(): SessionConflictError {
    return new SessionConflictError(`${this.options.attempts} attempts to change a session were not enough: others write it all the time`)
  }
}

/** Makes all changes, one after the other; undefined: there is nothing to write. */
function applied(group: readonly Update[], current: Exclude<Current, 'ended'>): { text: string; ttlMs: number } | undefined {
  let text = current === 'absent' ? undefined : current.text
  let written: { text: string; ttlMs: number } | undefined
  for (const update of group) {
    update.thrown = undefined
    try {
      const next = update.step(text)
      if (next === undefined) continue
      text = next
      written = { text, ttlMs: update.ttlMs }
    } catch (error) {
      update.thrown = { error }
    }
  }
  return written
}

function settle(group: readonly Update[]): void {
  for (const { thrown, resolve, reject } of group) {
    if (thrown === undefined) resolve(true)
    else reject(thrown.error)
  }
}

function isSame(one: Current, other: Current): boolean {
  if (typeof one === 'string' || typeof other === 'string') return one === other
  return one.version === other.version
}
