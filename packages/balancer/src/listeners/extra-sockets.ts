// What a new primary inherits beside the acceptor's listeners, such as the socket of the admin page.

import type { Server } from 'node:net'

export interface ExtraServer {
  readonly server: Server
  /** The port in the config; 0: the kernel chose. */
  readonly askedPort: number
}

export class ExtraSockets {
  readonly servers: ExtraServer[] = []
  /** Environment variables that were removed at the start and that a new primary needs again. */
  readonly env: Record<string, string> = {}

  /** The new primary claims the socket by its address. */
  add(server: ExtraServer): void {
    this.servers.push(server)
  }
}
