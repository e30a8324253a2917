// The requests that workers have started. The fixture apps write each request's name and their pid to one file before anything else.

import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from './running-balancer.ts'

export class StartedRequests {
  /** Names of requests that were started more than once. */
  readonly twice: string[] = []
  readonly file = join(temporaryFolder(), 'started')
  private readonly pids = new Map<string, number>()
  private offset = 0
  private rest = ''

  constructor() {
    closeSync(openSync(this.file, 'w'))
  }

  pidOf(name: string): number | undefined {
    this.read()
    return this.pids.get(name)
  }

  read(): void {
    const file = openSync(this.file, 'r')
    const bytes = Buffer.alloc(65_536)
    for (;;) {
      const length = readSync(file, bytes, 0, bytes.length, this.offset)
      if (length === 0) break
      this.offset += length
      const lines = (this.rest + bytes.toString('latin1', 0, length)).split('\n')
      this.rest = lines.pop() as string
      for (const line of lines) {
        const [name = '', pid] = line.split(' ')
        if (this.pids.has(name)) this.twice.push(name)
        this.pids.set(name, Number(pid))
      }
    }
    closeSync(file)
  }
}
