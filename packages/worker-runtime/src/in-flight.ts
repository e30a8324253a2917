// Counts what has begun and is not finished in this worker, and how long it took.

import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

const begun = Symbol('switchyard.begun')
const SMOOTHING = 0.1

interface Counted extends ServerResponse {
  [begun]?: number
}

/** Requests of one worker. An upgraded connection is in flight until it closes. */
export class InFlight {
  count = 0
  /** Hand-offs received since the start. */
  received = 0
  /** Exponential moving average. */
  latencyMs = 0
  /** Is called when the first request begins. */
  onBusy: () => void = () => {}
  private readonly responseClosed: (this: Counted) => void
  private readonly upgradeClosed: () => void

  constructor() {
    const owner = this
    this.responseClosed = function () {
      const since = this[begun] as number
      owner.latencyMs += (performance.now() - since - owner.latencyMs) * SMOOTHING
      owner.count--
    }
    this.upgradeClosed = () => {
      owner.count--
    }
  }

  /** A request begins. A second call for the same response counts nothing: apps emit 'request' themselves after 'checkContinue'. */
  beginRequest(response: Counted): void {
    if (response[begun] !== undefined) return
    response[begun] = performance.now()
    response.on('close', this.responseClosed)
    this.begin()
  }

  beginUpgrade(socket: Duplex): void {
    socket.once('close', this.upgradeClosed)
    this.begin()
  }

  private begin(): void {
    if (this.count++ === 0) this.onBusy()
  }
}
