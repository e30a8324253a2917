// What goes to a successor beside the balancer's own listeners: whoever has something to leave to it puts it here.

import type { Server } from 'node:net'

/** A server whose socket lives on. */
export interface LentServer {
  readonly server: Server
  /** The port that was asked for. */
  readonly askedPort: number
}

export class ExtraSockets {
  readonly servers: LentServer[] = []
  /** Variables of the environment that are removed at the start, and that a successor must find again. */
  readonly env: Record<string, string> = {}

  /** The successor finds its socket by its address. */
  lend(server: LentServer): void {
    this.servers.push(server)
  }
}
