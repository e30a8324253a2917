// Replaces Node's timers by timers that run when a test says so, so that delayed work happens at a known moment.

interface Timer {
  readonly run: () => void
  readonly repeats: boolean
}

export class FakeTimers {
  private readonly real = { setTimeout, clearTimeout, setInterval, clearInterval }
  private readonly timers = new Map<object, Timer>()

  constructor() {
    const set = (repeats: boolean) => (run: () => void) => {
      const id = {}
      this.timers.set(id, { run, repeats })
      return id
    }
    const clear = (id: object) => void this.timers.delete(id)
    Object.assign(globalThis, { setTimeout: set(false), setInterval: set(true), clearTimeout: clear, clearInterval: clear })
  }

  /** Runs each timer that is set now, once. */
  run(): void {
    for (const [id, { run, repeats }] of [...this.timers]) {
      // An earlier timer has cleared it.
      if (!this.timers.has(id)) continue
      if (!repeats) this.timers.delete(id)
      run()
    }
  }

  get count(): number {
    return this.timers.size
  }

  end(): void {
    Object.assign(globalThis, this.real)
  }
}
