// Updates of sessions by compare-and-set: read, change, write if the version is still the same, else try again with the current session.
// Concurrent updates of one session within this process are written together.

import type { NearSession } from './near-cache.ts'
import type { Current, NearStore } from './near-store.ts'
import { SessionConflictError, SessionStoreError } from './session-store.ts'

/** Computes the next text from the current one (undefined: no session). Returns undefined for no change. May be called several times. */
export type UpdateStep = (text: string | undefined) => string | undefined

interface Update {
  readonly step: UpdateStep
  readonly ttlMs: number
  readonly resolve: (isThere: boolean) => void
  readonly reject: (error: unknown) => void
  /** What the step threw in the latest attempt. */
  thrown: { readonly error: unknown } | undefined
}

export interface SessionUpdatesOptions {
  readonly attempts: number
  /** Random numbers from 0 to 1. */
  readonly chance: () => number
  readonly now: () => number
}

/** Waiting updates of all sessions. */
const MAX_WAITING = 16_384
/** Updates in one write. Their steps run in one turn of the event loop. */
const MAX_GROUP = 64
const MAX_PAUSE_MS = 50

export class SessionUpdates {
  private readonly near: NearStore
  private readonly options: SessionUpdatesOptions
  /** The waiting updates of each session that is being updated. */
  private readonly queues = new Map<string, Update[]>()
  private waiting = 0

  constructor(near: NearStore, options: SessionUpdatesOptions) {
    this.near = near
    this.options = options
  }

  /**
   * Resolves with false if the session was destroyed. Rejects with what the step throws, with SessionConflictError, or with
   * SessionStoreError.
   */
  run(id: string, ttlMs: number, step: UpdateStep): Promise<boolean> {
    if (this.waiting >= MAX_WAITING) return Promise.reject(new SessionStoreError(`${MAX_WAITING} session updates are waiting already`))
    this.waiting++
    return new Promise((resolve, reject) => {
      const update: Update = { step, ttlMs, resolve, reject, thrown: undefined }
      const queue = this.queues.get(id)
      if (queue !== undefined) return void queue.push(update)
      const own = [update]
      this.queues.set(id, own)
      void this.drainQueue(id, own)
    })
  }

  /**
   * Calls `move` with the current session until it resolves with true, at most `attempts` times. Does nothing if there is no session.
   * Rejects with SessionConflictError, or with what `move` rejects with.
   */
  async move(id: string, move: (current: NearSession) => Promise<boolean>): Promise<void> {
    for (let attempt = 1; attempt <= this.options.attempts; attempt++) {
      const current = await this.near.read(id)
      if (typeof current === 'string' || (await move(current))) return
    }
    throw this.conflict()
  }

  private async drainQueue(id: string, queue: Update[]): Promise<void> {
    while (queue.length > 0) {
      const group = queue.splice(0, MAX_GROUP)
      this.waiting -= group.length
      let pauseMs = 0
      try {
        pauseMs = await this.commit(id, group)
      } catch (error) {
        // With the store unreachable, the rest of the queue would only wait for the same error.
        const failed = error instanceof SessionStoreError ? [...group, ...queue.splice(0)] : group
        this.waiting -= failed.length - group.length
        for (const { reject } of failed) reject(error)
      }
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
    this.queues.delete(id)
  }

  /** Resolves with a pause that gives other processes a turn. */
  private async commit(id: string, group: readonly Update[]): Promise<number> {
    const { attempts, chance, now } = this.options
    const startedMs = now()
    const fresh = this.near.fresh(id)
    let current: Current = fresh ?? (await this.near.read(id))
    let isFromStore = fresh === undefined
    for (let attempt = 1; attempt <= attempts; attempt++) {
      if (current === 'ended') {
        for (const { resolve } of group) resolve(false)
        return 0
      }
      const next = applySteps(group, current)
      if (next === undefined) {
        // Nothing to write, so no write can find out that the cached session is outdated: the store is asked, and the steps run again if it
        // is.
        const before: Current = current
        if (!isFromStore) current = await this.near.read(id)
        if (!isFromStore && !isSame(before, current)) {
          isFromStore = true
          continue
        }
        settle(group)
        return 0
      }
      const written = await this.near.write(id, next.text, next.ttlMs, current === 'absent' ? 0 : current.version)
      if (written === true) {
        settle(group)
        // After a conflict the winner pauses for about as long as it took, so that the losers get a turn.
        return attempt === 1 ? 0 : Math.min(MAX_PAUSE_MS, (now() - startedMs) * (0.5 + chance()))
      }
      current = written === 'ended' ? written : written.found
      isFromStore = true
    }
    throw this.conflict()
  }

  private conflict(): SessionConflictError {
    return new SessionConflictError(`the session changed during all ${this.options.attempts} attempts to update it (updateAttempts)`)
  }
}

/** Runs all steps in order. Undefined: there is nothing to write. */
function applySteps(group: readonly Update[], current: Exclude<Current, 'ended'>): { text: string; ttlMs: number } | undefined {
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
