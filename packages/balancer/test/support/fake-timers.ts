// Timers that run when a test says so, in place of Node's: what a dispatcher puts off happens in a known moment.

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

  /** Each that is set at this moment runs, once. */
  run(): void {
    for (const [id, { run, repeats }] of [...this.timers]) {
      // An earlier one has cleared it.
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
