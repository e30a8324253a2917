// Reaps orphaned processes. The first process of a container inherits every process whose parent has exited; without a wait they stay zombies
// for ever.

import { readdirSync, readFileSync } from 'node:fs'
import { hasZombie, reap } from '@switchyard/handoff'

const POLL_MS = 1000

/** Reaps zombies that have been seen twice. Node reaps its own children within one turn of the loop, so those are orphans. */
export class OrphanProcesses {
  private readonly timer: NodeJS.Timeout
  private seen: ReadonlySet<number> = new Set()

  constructor() {
    this.timer = setInterval(() => this.poll(), POLL_MS)
    this.timer.unref()
  }

  end(): void {
    clearInterval(this.timer)
  }

  private poll(): void {
    const zombies = hasZombie() ? zombiesOf(process.pid) : []
    for (const pid of zombies) if (this.seen.has(pid)) reap(pid)
    this.seen = new Set(zombies)
  }
}

function zombiesOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => {
      if (!/^\d+$/.test(name)) return false
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
        // The name of the program stands before it in brackets, and may contain anything.
        const [state, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return state === 'Z' && Number(ppid) === parent
      } catch {
        return false
      }
    })
    .map(Number)
}
