// Bounds the requests that are sent again to a share of all requests, so that retries never multiply an overload.

/** Each request earns this much of a retry. */
const EARNED = 0.2
/** Retries that may be saved up, and that a new worker has. */
const MAX_SAVED = 10

export class RetryBudget {
  private saved = MAX_SAVED

  /** A request has come. */
  earn(): void {
    this.saved = Math.min(MAX_SAVED, this.saved + EARNED)
  }

  /** Spends one retry; false: there is none. */
  spend(): boolean {
    if (this.saved < 1) return false
    this.saved--
    return true
  }
}
