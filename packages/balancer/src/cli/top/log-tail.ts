// Follows the log of the running balancer for `balancer top`, and keeps the newest lines. After a break it begins anew.

import type { ControlClient } from '../../control/control-client.ts'
import type { LogEntry } from '../../control/control-protocol.ts'

const KEPT = 500
const RETRY_MS = 1_000

export class LogTail {
  entries: LogEntry[] = []
  private readonly client: ControlClient
  private readonly onChange: () => void
  private timer: NodeJS.Timeout | undefined
  private isStopped = false
  private readonly abort = new AbortController()

  constructor(client: ControlClient, onChange: () => void) {
    this.client = client
    this.onChange = onChange
  }

  start(): void {
    void this.follow()
  }

  stop(): void {
    this.isStopped = true
    clearTimeout(this.timer)
    this.abort.abort()
  }

  private async follow(): Promise<void> {
    try {
      let isFirst = true
      for await (const line of this.client.logs({ lines: KEPT, follow: true }, this.abort.signal)) {
        if (this.isStopped) return
        if (!('line' in line)) continue
        if (isFirst) this.entries = []
        isFirst = false
        this.entries.push(line.line)
        if (this.entries.length > 2 * KEPT) this.entries = this.entries.slice(-KEPT)
        this.onChange()
      }
    } catch {
      // The screen says that the balancer does not answer.
    }
    if (!this.isStopped) this.timer = setTimeout(() => void this.follow(), RETRY_MS)
  }
}
