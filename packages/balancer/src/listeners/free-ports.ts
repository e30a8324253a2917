// Remembers the ports of servers that asked for any port. The first such server of every worker shares one port, the second another, and so on.
// Later workers and a new primary's workers get the same ports.

/** Ports that are remembered; the oldest is dropped. An app may open servers all the time. */
const MAX_PORTS = 1024

export class FreePorts {
  private readonly ports: Map<string, number>
  /** By worker: how many of its servers have asked for any port, by host. */
  private readonly asked = new WeakMap<object, Map<string, number>>()

  /** `before`: `entries` of the old primary. */
  constructor(before: Readonly<Record<string, number>> = {}) {
    this.ports = new Map(Object.entries(before))
  }

  /** The name of the port for this worker's next server. Counts the server. */
  nameFor(worker: object, host: string | undefined, ipv6Only: boolean): string {
    const asked = this.asked.get(worker) ?? new Map<string, number>()
    this.asked.set(worker, asked)
    const kind = `${host ?? '*'}${ipv6Only ? ' ipv6' : ''}`
    const count = (asked.get(kind) ?? 0) + 1
    asked.set(kind, count)
    return `${kind} ${count}`
  }

  get(name: string): number | undefined {
    return this.ports.get(name)
  }

  set(name: string, port: number): void {
    this.ports.delete(name)
    this.ports.set(name, port)
    if (this.ports.size > MAX_PORTS) for (const oldest of this.ports.keys()) return void this.ports.delete(oldest)
  }

  /** The ports by name, as JSON can write them. */
  get entries(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.ports)
  }
}
