// The first worker of a pool: the primary names exactly one. It names another when this one has given the place back, or when its process is gone.

import { currentRuntime, type Runtime } from './runtime.ts'

/** Runs while this worker is the first of its pool. `signal` aborts when it should not be any longer. */
export type FirstCallback = (signal: AbortSignal) => unknown

let place: FirstPlace | undefined

/** This worker's side of the place of the first. The primary knows nothing of an app that never asks for it. */
class FirstPlace {
  private readonly runtime: Runtime
  private readonly callbacks: FirstCallback[] = []
  /** While this worker is the first. */
  private holding: { readonly abort: AbortController; readonly running: Promise<void>[] } | undefined

  constructor(runtime: Runtime) {
    this.runtime = runtime
    runtime.onMessage((message) => {
      if (message.switchyard !== 'first') return
      if (message.isFirst) this.take()
      else void this.giveBack()
    })
    runtime.send({ switchyard: 'first-wanted' })
  }

  get isHeld(): boolean {
    return this.holding?.abort.signal.aborted === false
  }

  add(callback: FirstCallback): void {
    this.callbacks.push(callback)
    if (this.isHeld) this.run(callback)
  }

  private take(): void {
    if (this.holding !== undefined) return
    this.holding = { abort: new AbortController(), running: [] }
    for (const callback of this.callbacks) this.run(callback)
  }

  private run(callback: FirstCallback): void {
    const { holding } = this
    if (holding === undefined) return
    const { signal } = holding.abort
    const run = async () => {
      try {
        await callback(signal)
      } catch (error) {
        // What waits for the signal, such as the timers of Node, rejects when it aborts.
        if (signal.aborted && (error as { name?: unknown } | null)?.name === 'AbortError') return
        this.runtime.send({ switchyard: 'notice', level: 'warn', message: `onFirst: ${(error as Error)?.stack ?? error}` })
      }
    }
    holding.running.push(run())
  }

  /** Another worker becomes the first once every callback has ended. */
  private async giveBack(): Promise<void> {
    const { holding } = this
    if (holding?.abort.signal.aborted === true) return
    holding?.abort.abort()
    await Promise.all(holding?.running ?? [])
    this.holding = undefined
    this.runtime.send({ switchyard: 'first-released' })
  }
}

function ownPlace(): FirstPlace | undefined {
  const runtime = currentRuntime()
  if (runtime !== undefined) place ??= new FirstPlace(runtime)
  return place
}

/**
 * Calls `callback` when this worker becomes the first of its pool, which exactly one worker is: for a cron in the app, or the one consumer of a
 * queue. At a drain, a reload or an upgrade its `signal` aborts; another worker becomes the first when the promise of the callback has settled, or
 * this process is gone. A process outside a pool is the first at once, for ever;
 * a thread or child process of a worker never is. Errors of the callback are logged. Don't wait for it before the
 * app listens: in a reload the old worker stays the first until the new one is ready.
 */
export function onFirst(callback: FirstCallback): void {
  const own = ownPlace()
  if (own !== undefined) own.add(callback)
  else if (isOutsidePools()) void callback(new AbortController().signal)
}

/** Is this worker the first of its pool? A process outside a pool is. The first call asks the primary, so it may come too early. */
export function isFirst(): boolean {
  return ownPlace()?.isHeld ?? isOutsidePools()
}

/** Threads and child processes of a worker are in its pool, but are no workers. */
function isOutsidePools(): boolean {
  return process.env.SWITCHYARD_POOL === undefined
}
