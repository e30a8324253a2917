// What workers write down as the first thing of each request, so that it is known of each whether it had begun, and where.

import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from './running-balancer.ts'

/** The file in which workers write down what they begin. */
export class StartedRequests {
  readonly twice: string[] = []
  readonly file = join(temporaryFolder(), 'begun')
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
