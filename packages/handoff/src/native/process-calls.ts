// What Node can't do for its own process and the native module can: tell a service manager something, name a listening socket, bury a child that is
// nobody's.

import { hasNative, native } from '../native-module.ts'

/** Sends one datagram to a unix socket; `@` begins the name of an abstract one. False: there is no native module. Throws what the system says. */
export function sendDatagram(path: string, text: string): boolean {
  if (!hasNative()) return false
  native().sendDatagram(path, text)
  return true
}

/** Has a child of this process ended whose end nobody has asked for? False where that can't be told. */
export function hasZombie(): boolean {
  return hasNative() && native().hasZombie()
}

/** Lets go of a child that has ended. False: it is none, or has not ended. */
export function reap(pid: number): boolean {
  return hasNative() && native().reap(pid)
}
