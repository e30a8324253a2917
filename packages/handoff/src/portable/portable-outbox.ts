// What a worker of the portable channel sends back: questions. Its connections stay: one handle at a time crosses Node's IPC, each with an answer,
// and to forward a request costs less than that.

import type { ControlPipe } from '../pipes/control-pipe.ts'
import type { Outbox } from '../worker-end.ts'
import { questionFrame } from './portable-protocol.ts'

export class PortableOutbox implements Outbox {
  readonly movesConnections = false
  readonly unsent = 0
  private readonly control: ControlPipe

  constructor(control: ControlPipe) {
    this.control = control
  }

  giveBack(): boolean {
    return false
  }

  ask(id: number, avoid: number, reason: number, listener: number, address: string, head: string): void {
    this.control.send(questionFrame(id, avoid, reason, listener, address, head))
  }

  flushReturns(): void {}
}
