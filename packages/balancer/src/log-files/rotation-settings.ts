// What the settings of a rotation mean for the files of workers.

import type { LogRotationSettings } from '../settings.ts'
import { periodOf } from './periods.ts'
import { RenamingRotation } from './renaming-rotation.ts'

const MAX_BATCH = 4 * 1024 * 1024
/** A batch may make a file larger than its bound by this part. */
const BATCH_PART = 0.25
const MIN_BATCH = 16 * 1024

/** undefined: another program rotates the files. `warn` is called once, when a file can't be compressed. */
export function renamingRotation(settings: LogRotationSettings | undefined, warn: (message: string) => void): RenamingRotation | undefined {
  if (settings === undefined) return undefined
  const { sizeBytes, interval, keep, compress } = settings
  let hasWarned = false
  return new RenamingRotation({
    maxBytes: sizeBytes,
    periodOf: interval && periodOf(interval),
    keep,
    compress,
    onNotCompressed: (error) => {
      if (!hasWarned) warn(`a rotated log file can't be compressed, and stays as it is: ${error.message}`)
      hasWarned = true
    },
  })
}

/** Characters that are written to a file at once. */
export function batchFor(settings: LogRotationSettings | undefined): number {
  return settings === undefined ? MAX_BATCH : Math.max(MIN_BATCH, Math.min(MAX_BATCH, settings.sizeBytes * BATCH_PART))
}
