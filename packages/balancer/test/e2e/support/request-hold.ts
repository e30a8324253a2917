// A file that holds requests while it exists. So a test decides when they end, however slow the machine is.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { get } from './raw-client.ts'
import { temporaryFolder } from './running-balancer.ts'

export class RequestHold {
  readonly file = join(temporaryFolder(), 'hold')

  constructor() {
    this.hold()
  }

  hold(): void {
    writeFileSync(this.file, '')
  }

  /** A GET that the app answers after `release`. */
  request(path: string, headers?: Record<string, string>): string {
    return get(`${path}?while=${encodeURIComponent(this.file)}`, headers)
  }

  release(): void {
    rmSync(this.file, { force: true })
  }
}
