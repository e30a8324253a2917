// Checks, in tests, that every descriptor in the primary's hands has exactly one owner. A descriptor that two places own is handed off or closed twice,
// the second time as the connection of another client; the fault shows elsewhere and much later, so it is looked for where it is made.

/** Where a connection is. `dispatcher`: with the code that places it, for the length of one call. `none`: this process does not have it. */
export type Owner = 'none' | 'dispatcher' | 'head' | 'early' | 'resting' | 'lingering' | 'queue' | 'channel' | 'passage'

/** Knows the owner of each descriptor of one transport. */
export class Owners {
  private readonly byDescriptor = new Map<number, Owner>()

  /** A descriptor changes hands. Throws an Error when it was not where it should have been. */
  move(fd: number, from: Owner, to: Owner): void {
    const owner = this.byDescriptor.get(fd) ?? 'none'
    if (owner !== from) throw new Error(`descriptor ${fd} goes from ${from} to ${to}, but its owner is ${owner}`)
    if (to === 'none') this.byDescriptor.delete(fd)
    else this.byDescriptor.set(fd, to)
  }
}

/** Throws an Error when a channel counts as under way what is not, or the reverse. `handedOff`: what its worker has received, or will. */
export function checkCounts(outstanding: number, held: number, handedOff: number, ended: number): void {
  if (outstanding === held && handedOff === ended + outstanding) return
  throw new Error(`${outstanding} hand-offs count as under way, ${held} are; ${handedOff} count as handed off, ${ended} of them have ended`)
}

/** Owners of a transport's descriptors; undefined unless `SWITCHYARD_CHECKS=1` is set, and then nothing is kept. */
export function newOwners(): Owners | undefined {
  return process.env.SWITCHYARD_CHECKS === '1' ? new Owners() : undefined
}
