// The circuit breaker: whoever has not answered several times in a row is left alone for a while, and then one command tries. Time comes in.

export interface BreakerSettings {
  /** In a row. */
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

  /** May a command be sent? Who is told so says how it went, by `succeeded` or `failed`. */
  allows(nowMs: number): boolean {
    if (this.openUntilMs === undefined) return true
    if (this.isTrying || nowMs < this.openUntilMs) return false
    this.isTrying = true
    return true
  }

  /** It answers: everybody may ask again. */
  succeeded(): void {
    this.failures = 0
    this.openUntilMs = undefined
    this.isTrying = false
  }

  failed(nowMs: number): void {
    this.failures += 1
    // Those that were sent before it opened fail after it; they make it no longer.
    if (this.openUntilMs !== undefined && !this.isTrying) return
    if (this.isTrying || this.failures >= this.settings.failures) this.openUntilMs = nowMs + this.settings.openMs
    this.isTrying = false
  }

  get isOpen(): boolean {
    return this.openUntilMs !== undefined
  }
}
