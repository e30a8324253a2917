// What callers of the supervisor wait for: each goal is checked after every turn of the supervisor.

export interface Goal {
  readonly isReached: () => boolean
  /** Why the goal can't be reached any more; undefined while it can. */
  readonly failure?: () => Error | undefined
}

interface Pending extends Goal {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class Goals {
  private readonly pending = new Set<Pending>()

  add(goal: Goal): Promise<void> {
    return new Promise((resolve, reject) => this.pending.add({ ...goal, resolve, reject }))
  }

  poll(): void {
    for (const goal of this.pending) {
      const failure = goal.failure?.()
      if (failure === undefined && !goal.isReached()) continue
      this.pending.delete(goal)
      if (failure === undefined) goal.resolve()
      else goal.reject(failure)
    }
  }
}
