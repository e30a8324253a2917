// Reads the status of the running balancer again and again for `balancer top`, also while the balancer does not answer.

import type { ControlClient } from '../../control/control-client.ts'
import type { ControlStatus } from '../../control/control-protocol.ts'

export interface StatusPollOptions {
  readonly everyMs: number
  readonly client: ControlClient
  readonly onStatus: (status: ControlStatus, nowMs: number) => void
  /** The balancer does not answer. Called again at each try. */
  readonly onFailed: (error: Error) => void
}

export class StatusPoll {
  private readonly options: StatusPollOptions
  private timer: NodeJS.Timeout | undefined
  private isStopped = false

  constructor(options: StatusPollOptions) {
    this.options = options
  }

  start(): void {
    void this.poll()
  }

  stop(): void {
    this.isStopped = true
    clearTimeout(this.timer)
  }

  private async poll(): Promise<void> {
    const begunMs = performance.now()
    const { client, onStatus, onFailed, everyMs } = this.options
    try {
      const status = await client.status()
      if (this.isStopped) return
      onStatus(status, performance.now())
    } catch (error) {
      if (this.isStopped) return
      onFailed(error as Error)
    }
    this.timer = setTimeout(() => void this.poll(), Math.max(0, everyMs - (performance.now() - begunMs)))
  }
}
