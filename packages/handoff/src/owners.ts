// Checks, in tests, that every descriptor of the primary has exactly one owner. A descriptor with two owners is handed off or closed twice,
// the second time as another client's connection. The failure appears elsewhere and much later, so the check runs at each change of owner.

/**
 * The acceptor owns `head`, `early`, `resting` and `lingering`; a pool's queue, a channel and a passage own the descriptors under their names.
 * `dispatcher`: the code that places the connection, during one call. `none`: this process does not hold it.
 */
export type Owner = 'none' | 'dispatcher' | 'head' | 'early' | 'resting' | 'lingering' | 'queue' | 'channel' | 'passage'

/** Knows the owner of each descriptor of one transport. */
export class Owners {
  private readonly byDescriptor = new Map<number, Owner>()

  /** Records a change of owner. Throws when `from` is not the present one. */
  move(fd: number, from: Owner, to: Owner): void {
    const owner = this.byDescriptor.get(fd) ?? 'none'
    if (owner !== from) throw new Error(`descriptor ${fd} goes from ${from} to ${to}, but its owner is ${owner}`)
    if (to === 'none') this.byDescriptor.delete(fd)
    else this.byDescriptor.set(fd, to)
  }
}

/** Throws when a channel's counts disagree. `held`: hand-offs under way. `handedOff`: hand-offs that its worker has received, or will. */
export function checkCounts(outstanding: number, held: number, handedOff: number, ended: number): void {
  if (outstanding === held && handedOff === ended + outstanding) return
  throw new Error(`${outstanding} hand-offs count as under way, ${held} are; ${handedOff} count as handed off, ${ended} of them have ended`)
}

/** undefined unless `SWITCHYARD_CHECKS=1` is set. */
export function newOwners(): Owners | undefined {
  return process.env.SWITCHYARD_CHECKS === '1' ? new Owners() : undefined
}
