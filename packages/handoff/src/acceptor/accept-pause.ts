// Pauses accepting while the process has no descriptor to spare, and tries every 50 ms whether it has one again.

import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'

const RETRY_MS = 50

export interface AcceptPauseOptions {
  /** Accepting pauses from this descriptor on. */
  readonly lastDescriptor: number
  /** The number of the next new descriptor. */
  readonly nextDescriptor: () => number
  /** Accepting pauses for a reason, or goes on (undefined). */
  readonly onPause: ((reason: string | undefined) => void) | undefined
}

export class AcceptPause {
  private readonly options: AcceptPauseOptions
  private timer: NodeJS.Timeout | undefined

  constructor(options: AcceptPauseOptions) {
    this.options = options
  }

  get isPaused(): boolean {
    return this.timer !== undefined
  }

  /** `errno`: of the accept that failed; left out: too many descriptors are in use. */
  start(errno?: number, onEnd?: () => void): void {
    const { lastDescriptor, nextDescriptor, onPause } = this.options
    onPause?.(errno !== undefined ? `accept failed with errno ${errno}` : `${lastDescriptor} descriptors are in use`)
    this.timer = setInterval(() => {
      if (nextDescriptor() >= lastDescriptor) return
      clearInterval(this.timer)
      this.timer = undefined
      onPause?.(undefined)
      onEnd?.()
    }, RETRY_MS)
  }

  /** For an acceptor that accepts no more. */
  stop(): void {
    clearInterval(this.timer)
  }
}

interface Report {
  readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } }
}

/** The soft limit of descriptors, without the native module; infinite where there is none, or Node does not report it. */
export function descriptorLimit(): number {
  const soft = Number((process.report?.getReport() as unknown as Report | undefined)?.userLimits?.open_files?.soft)
  return Number.isInteger(soft) ? soft : Number.POSITIVE_INFINITY
}

/** The number of the next new descriptor, without the native module. Infinite when none is free. */
export function nextDescriptor(): number {
  try {
    const fd = openSync(devNull, 'r')
    closeSync(fd)
    return fd
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
