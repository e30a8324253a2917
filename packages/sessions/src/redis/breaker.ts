// A circuit breaker: after several failures in a row it blocks all commands for a while, then lets one command try. The time is passed to
// each call.

export interface BreakerSettings {
  /** Failures in a row that open the breaker. */
  readonly failures: number
  readonly openMs: number
}

export class Breaker {
  private readonly settings: BreakerSettings
  private failures = 0
  private openUntilMs: number | undefined
  private isTrying = false

  constructor(settings: BreakerSettings) {
    this.settings = settings
  }

  /** May a command be sent? Each allowed command reports `succeeded` or `failed`. */
  allows(nowMs: number): boolean {
    if (this.openUntilMs === undefined) return true
    if (this.isTrying || nowMs < this.openUntilMs) return false
    this.isTrying = true
    return true
  }

  /** Closes the breaker. */
  succeeded(): void {
    this.failures = 0
    this.openUntilMs = undefined
    this.isTrying = false
  }

  failed(nowMs: number): void {
    this.failures += 1
    // Commands that were sent before the breaker opened fail after it. They don't extend it.
    if (this.openUntilMs !== undefined && !this.isTrying) return
    if (this.isTrying || this.failures >= this.settings.failures) this.openUntilMs = nowMs + this.settings.openMs
    this.isTrying = false
  }

  get isOpen(): boolean {
    return this.openUntilMs !== undefined
  }
}
