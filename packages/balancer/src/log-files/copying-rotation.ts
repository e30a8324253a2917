// Rotates the log file of a detached balancer: copies it to `FILE.1` and empties it. A rename would not do, because stdout and stderr of the process are
// the same open file.

import { closeSync, fstatSync, ftruncateSync, openSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { copyTail, type RotatedFile, type Rotation } from './log-file.ts'

const MAX_BYTES = 64 * 1024 * 1024

export class CopyingRotation implements Rotation {
  private readonly maxBytes: number

  /** A larger file is rotated. */
  constructor(maxBytes = MAX_BYTES) {
    this.maxBytes = maxBytes
  }

  isDue({ bytes }: RotatedFile): boolean {
    return bytes > this.maxBytes
  }

  async rotate({ path, fd }: RotatedFile): Promise<boolean> {
    const old = `${path}.1`
    await copyFile(path, old)
    const copy = openSync(old, 'a+')
    try {
      // What came through stdout or stderr during the copy.
      copyTail(fd, copy, fstatSync(copy).size)
    } finally {
      closeSync(copy)
    }
    ftruncateSync(fd, 0)
    return false
  }
}
