// How many descriptors this process may have, and how many it has, as far as Node alone can tell.

import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'

interface Report {
  readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } }
}

/** The soft limit of the system; infinite where there is none, or none is told. */
export function descriptorLimit(): number {
  const soft = Number((process.report?.getReport() as unknown as Report | undefined)?.userLimits?.open_files?.soft)
  return Number.isInteger(soft) ? soft : Number.POSITIVE_INFINITY
}

/** The number that the next descriptor gets: the lowest that is free. Infinite when there is none. */
export function nextDescriptor(): number {
  try {
    const fd = openSync(devNull, 'r')
    closeSync(fd)
    return fd
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
