// Connections of one pool that wait for a worker. Their bytes are still in the kernel, except what another worker had read. The queue keeps a copy of each head.
//
// The clients' addresses take turns (J. Nagle, "On Packet Switches With Infinite Storage", RFC 970, fair queueing), and connections of one address are served first in,
// first out, so an address that fills the queue keeps only itself waiting. When the queue is full, a connection of an address with less than an equal share
// replaces the youngest connection of the address with the most (longest queue drop).

import type { Arrival, Owners } from '@switchyard/handoff'
import { type Linked, LinkedList } from './linked-list.ts'

/**
 * What a connection waits for. `loop`: any worker whose loop turns idle. `policy`: the route's policy picked none of the candidates.
 * `home`: the one worker that has its session. `recalled`: as `loop`, but first in line, because the loop of the worker it was offered to got stuck.
 */
export type WaitFor = 'loop' | 'policy' | 'home' | 'recalled'

/** A waiting connection. */
export interface Queued {
  /** With a copy of the head. */
  readonly arrival: Arrival
  readonly sinceMs: number
  readonly waitFor: WaitFor
  /** The client's address; empty for a unix socket, where all clients count as one. */
  readonly address: string
}

interface Entry extends Linked<Entry> {
  readonly queued: Queued
  readonly lane: LinkedList<Entry>
  /** undefined: the connection takes no turns with other addresses. */
  readonly client: Client | undefined
}

/** The connections of one address that wait for any loop. */
class Client implements Linked<Client> {
  before: Client | undefined
  behind: Client | undefined
  readonly address: string
  readonly lane = new LinkedList<Entry>()

  constructor(address: string) {
    this.address = address
  }
}

export class Queue {
  private limit: number
  private timeoutMs: number
  private readonly owners: Owners | undefined
  private readonly entries = new Map<number, Entry>()
  private readonly recalled = new LinkedList<Entry>()
  private readonly forHome = new LinkedList<Entry>()
  private readonly clients = new Map<string, Client>()
  /** The clients, in the order of their turns. */
  private readonly turns = new LinkedList<Client>()

  /** `owners` checks the descriptors; undefined: they are not checked. */
  constructor(limit: number, timeoutMs: number, owners?: Owners) {
    this.limit = limit
    this.timeoutMs = timeoutMs
    this.owners = owners
  }

  /** Sets the bounds for new and for waiting connections. */
  configure(limit: number, timeoutMs: number): void {
    this.limit = limit
    this.timeoutMs = timeoutMs
  }

  get length(): number {
    return this.entries.size
  }

  /** How many connections could go to any worker. */
  get waitingForLoop(): number {
    return this.entries.size - this.forHome.size
  }

  /** Since when the oldest connection has waited that could go to any worker; undefined: there is none. */
  get oldestSinceMs(): number | undefined {
    let oldest = this.recalled.first?.queued.sinceMs
    for (const { lane } of this.turns) {
      const since = lane.first?.queued.sinceMs
      if (oldest === undefined || (since !== undefined && since < oldest)) oldest = since
    }
    return oldest
  }

  /** Appends a connection. If the queue is full, returns the connection that loses its place: this one or another. */
  add(queued: Queued): Queued | undefined {
    // A recalled connection is never refused: the windows of the channels bound how many there are.
    const isOver = this.length >= this.limit && queued.waitFor !== 'recalled'
    const longest = isOver ? this.longestBefore(queued) : undefined
    if (isOver && longest === undefined) return queued
    const entry = this.insertEntry(queued)
    entry.lane.append(entry)
    return this.removeEntry(longest?.lane.last)
  }

  /** Puts connections back that were just removed, in their order, before all others. */
  putBack(taken: readonly Queued[]): void {
    for (const queued of taken.toReversed()) {
      const entry = this.insertEntry(queued)
      entry.lane.prepend(entry)
      if (entry.client === undefined) continue
      this.turns.remove(entry.client)
      this.turns.prepend(entry.client)
    }
  }

  /** Removes the next connection that could go to any worker. */
  removeForLoop(): Queued | undefined {
    const client = this.turns.first
    const next = this.recalled.first ?? client?.lane.first
    if (next === undefined) return undefined
    if (next.client !== undefined) {
      this.turns.remove(next.client)
      this.turns.append(next.client)
    }
    return this.removeEntry(next)
  }

  /** Removes all connections that wait for one worker, in order. */
  removeForHome(): Queued[] {
    return this.removeIf(({ lane }) => lane === this.forHome)
  }

  /** Removes one connection; undefined: it does not wait here. */
  remove(fd: number): Queued | undefined {
    return this.removeEntry(this.entries.get(fd))
  }

  /** Empties the queue. Returns the connections in order of arrival. */
  removeAll(): Queued[] {
    return this.removeIf(() => true)
  }

  /** Removes the connections that have waited for their whole timeout at `nowMs`. */
  removeExpired(nowMs: number): Queued[] {
    return this.removeIf(({ queued: { sinceMs } }) => nowMs - sinceMs >= this.timeoutMs)
  }

  private removeIf(isTaken: (entry: Entry) => boolean): Queued[] {
    const taken = [...this.entries.values()].filter(isTaken).sort((one, other) => one.queued.sinceMs - other.queued.sinceMs)
    for (const entry of taken) this.removeEntry(entry)
    return taken.map(({ queued }) => queued)
  }

  private insertEntry(queued: Queued): Entry {
    const { arrival, waitFor, address } = queued
    this.owners?.move(arrival.fd, 'dispatcher', 'queue')
    const client = waitFor === 'loop' || waitFor === 'policy' ? this.clientOf(address) : undefined
    const lane = client?.lane ?? (waitFor === 'home' ? this.forHome : this.recalled)
    const entry = { queued, lane, client, before: undefined, behind: undefined }
    this.entries.set(arrival.fd, entry)
    return entry
  }

  private removeEntry(entry: Entry | undefined): Queued | undefined {
    if (entry === undefined) return undefined
    const { queued, lane, client } = entry
    const { fd } = queued.arrival
    this.owners?.move(fd, 'queue', 'dispatcher')
    this.entries.delete(fd)
    lane.remove(entry)
    if (client?.lane.size === 0) {
      this.turns.remove(client)
      this.clients.delete(client.address)
    }
    return queued
  }

  private clientOf(address: string): Client {
    const known = this.clients.get(address)
    if (known !== undefined) return known
    const client = new Client(address)
    this.clients.set(address, client)
    this.turns.append(client)
    return client
  }

  /** The client with the most connections, if the client of this connection has less than an equal share. */
  private longestBefore({ address }: Queued): Client | undefined {
    const own = this.clients.get(address)?.lane.size ?? 0
    const count = this.clients.size + (own === 0 ? 1 : 0)
    if ((own + 1) * count > this.limit) return undefined
    let longest: Client | undefined
    for (const client of this.turns) if (client.lane.size > (longest?.lane.size ?? own + 1)) longest = client
    return longest
  }
}
