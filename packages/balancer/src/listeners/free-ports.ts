// Which ports servers got that asked for any: the first such server of every worker gets the same one, and so do the second and the third. It is so for
// workers that come later, and for those of the next primary.

/** Pairs that are remembered. An app that opens servers all the time has them anew. */
const MOST = 1024

export class FreePorts {
  private readonly ports: Map<string, number>
  /** How many servers of one worker have asked so. */
  private readonly asked = new WeakMap<object, Map<string, number>>()

  /** `before`: those of the primary before this one. */
  constructor(before: Readonly<Record<string, number>> = {}) {
    this.ports = new Map(Object.entries(before))
  }

  /** The name under which the port is remembered that this server of a worker gets. It is counted. */
  nameFor(worker: object, host: string | undefined, ipv6Only: boolean): string {
    const asked = this.asked.get(worker) ?? new Map<string, number>()
    this.asked.set(worker, asked)
    const kind = `${host ?? '*'}${ipv6Only ? ' ipv6' : ''}`
    const count = (asked.get(kind) ?? 0) + 1
    asked.set(kind, count)
    return `${kind} ${count}`
  }

  /** undefined: no server has had one. */
  get(name: string): number | undefined {
    return this.ports.get(name)
  }

  set(name: string, port: number): void {
    this.ports.delete(name)
    this.ports.set(name, port)
    if (this.ports.size > MOST) for (const oldest of this.ports.keys()) return void this.ports.delete(oldest)
  }

  /** As plain data. */
  get entries(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.ports)
  }
}
