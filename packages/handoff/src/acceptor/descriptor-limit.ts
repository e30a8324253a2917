// The descriptor limit of this process and its next free descriptor, without the native module.

import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'

interface Report {
  readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } }
}

/** The soft limit; infinite where there is none, or Node does not report it. */
export function descriptorLimit(): number {
  const soft = Number((process.report?.getReport() as unknown as Report | undefined)?.userLimits?.open_files?.soft)
  return Number.isInteger(soft) ? soft : Number.POSITIVE_INFINITY
}

/** The number of the next new descriptor: the lowest free one. Infinite when none is free. */
export function nextDescriptor(): number {
  try {
    const fd = openSync(devNull, 'r')
    closeSync(fd)
    return fd
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
