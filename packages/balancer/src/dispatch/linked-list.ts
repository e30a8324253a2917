// A doubly linked list whose items are its nodes: any item can be removed in constant time, and items can be put back in front.

/** The links of an item. An item is in one list at a time. */
export interface Linked<T> {
  before: T | undefined
  behind: T | undefined
}

export class LinkedList<T extends Linked<T>> {
  first: T | undefined
  last: T | undefined
  size = 0

  append(item: T): void {
    item.before = this.last
    item.behind = undefined
    if (this.last === undefined) this.first = item
    else this.last.behind = item
    this.last = item
    this.size++
  }

  prepend(item: T): void {
    item.before = undefined
    item.behind = this.first
    if (this.first === undefined) this.last = item
    else this.first.before = item
    this.first = item
    this.size++
  }

  /** The item must be in this list. */
  remove(item: T): void {
    const { before, behind } = item
    if (before === undefined) this.first = behind
    else before.behind = behind
    if (behind === undefined) this.last = before
    else behind.before = before
    this.size--
  }

  *[Symbol.iterator](): Generator<T> {
    for (let item = this.first; item !== undefined; item = item.behind) yield item
  }
}
