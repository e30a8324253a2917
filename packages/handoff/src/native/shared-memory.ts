// Memory that the primary shares with one worker. It is zero at first, and stays while one of them has it.

import { closeSync } from 'node:fs'
import { hasNative, native } from '../native-module.ts'

export interface SharedMemory {
  readonly memory: ArrayBuffer
  /** For the stdio of the other process. */
  readonly fd: number
  /** The other process has started, or could not: closes the descriptor. */
  started(): void
}

/** Makes memory of so many bytes. undefined: there is no native module, or no free descriptor or memory. */
export function shareMemory(bytes: number): SharedMemory | undefined {
  if (!hasNative()) return undefined
  try {
    const { fd, memory } = native().shareMemory(bytes)
    return { fd, memory, started: () => closeSync(fd) }
  } catch {
    return undefined
  }
}

/** Maps memory of another process by the descriptor that it has passed, and closes it. Throws the system's error. */
export function mapMemory(fd: number, bytes: number): ArrayBuffer {
  return native().mapMemory(fd, bytes)
}
