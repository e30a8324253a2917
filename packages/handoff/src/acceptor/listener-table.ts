// The listeners of an acceptor by their numbers, which tags name (see tag.ts).

import type { ListenerProtocol } from '@switchyard/routing'
import { MAX_LISTENER_NUMBERS } from '../tag.ts'
import type { ProxyReader } from './proxy-reader.ts'

export interface ListenerEntry {
  /** Is the head of its connections peeked at? */
  peek: boolean
  /** What its clients speak, if heads are peeked at. Default: `detect`. */
  readonly protocol?: ListenerProtocol | undefined
  /** What the servers behind it speak, where `protocol` is left out. Default: `detect`. */
  served?: ListenerProtocol | undefined
  /** May it accept? */
  isAdmitted: boolean
  /** Reads the header of the PROXY protocol; undefined: none is expected. */
  readonly proxy: ProxyReader | undefined
}

export class ListenerTable<Entry extends ListenerEntry> {
  private readonly entries = new Map<number, Entry>()
  private lastNumber = -1

  /** Gives the entry the next free number. Throws EMFILE when there is none. */
  add(entry: Entry): number {
    if (this.entries.size >= MAX_LISTENER_NUMBERS) throw Object.assign(new Error('EMFILE: too many listeners'), { code: 'EMFILE' })
    do this.lastNumber = (this.lastNumber + 1) % MAX_LISTENER_NUMBERS
    while (this.entries.has(this.lastNumber))
    this.entries.set(this.lastNumber, entry)
    return this.lastNumber
  }

  get(number: number): Entry | undefined {
    return this.entries.get(number)
  }

  delete(number: number): boolean {
    return this.entries.delete(number)
  }

  /** What the clients of a listener speak. One that is closed, or is not peeked at, has `tcp`. */
  protocolOf(number: number): ListenerProtocol {
    const entry = this.entries.get(number)
    return entry?.peek === true ? (entry.protocol ?? entry.served ?? 'detect') : 'tcp'
  }

  /** Returns whether that is a change. */
  setPeek(number: number, peek: boolean): boolean {
    const entry = this.entries.get(number)
    if (entry === undefined || entry.peek === peek) return false
    entry.peek = peek
    return true
  }

  setServed(number: number, served: ListenerProtocol | undefined): void {
    const entry = this.entries.get(number)
    if (entry !== undefined) entry.served = served
  }

  get numbers(): number[] {
    return [...this.entries.keys()]
  }

  get all(): [number: number, entry: Entry][] {
    return [...this.entries]
  }

  get peeks(): Record<number, boolean> {
    return Object.fromEntries(this.all.map(([number, { peek }]) => [number, peek]))
  }
}
