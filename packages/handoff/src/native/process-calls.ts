// System calls that Node does not offer: datagrams to a service manager, and reaping orphaned child processes.

import { hasNative, native } from '../native-module.ts'

/**
 * Sends one datagram to a unix socket, whose path begins with `@` if it is abstract. False: there is no native module. Throws the system's
 * error.
 */
export function sendDatagram(path: string, text: string): boolean {
  if (!hasNative()) return false
  native().sendDatagram(path, text)
  return true
}

/** Has a child of this process exited that is not reaped? False without the native module. */
export function hasZombie(): boolean {
  return hasNative() && native().hasZombie()
}

/** Reaps an exited child. False: it has not exited, or is no child of this process. */
export function reap(pid: number): boolean {
  return hasNative() && native().reap(pid)
}
