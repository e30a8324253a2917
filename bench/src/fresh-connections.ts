// A new connection for every request of an open loop; the server closes it after its answer.

import { type Connections, type Done, exchange } from './exchange.ts'

export class FreshConnections implements Connections {
  readonly waited = 0
  private readonly port: number

  constructor(port: number) {
    this.port = port
  }

  async open(): Promise<void> {}

  ask(_index: number, path: string, done: Done): void {
    exchange(this.port, path, false, done)
  }

  close(): void {}
}
