// The first process of a container inherits every process whose parent has died, and has to ask how they ended, or they stay for ever as zombies.

import { readdirSync, readFileSync } from 'node:fs'
import { hasZombie, reap } from '@switchyard/handoff'

const POLL_MS = 1000

/**
 * Lets go of processes that nobody asks for. Children of our own are asked for by Node itself, in the next turn of the loop: so one that was
 * there at the last look already is an orphan.
 */
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

/** Children of a process that have ended. */
function zombiesOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => {
      if (!/^\d+$/.test(name)) return false
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
        // The name of the program comes before, in brackets, and may be anything.
        const [state, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return state === 'Z' && Number(ppid) === parent
      } catch {
        return false
      }
    })
    .map(Number)
}
