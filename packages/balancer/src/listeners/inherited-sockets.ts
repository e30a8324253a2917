// The listening sockets that this primary was started with, by a predecessor or a service manager, until somebody takes them.

import { lookup } from 'node:dns/promises'
import { closeSync, rmSync } from 'node:fs'
import { type InheritedListener, isAbstract } from '@switchyard/handoff'
import type { ListenAddress } from '../settings.ts'

export interface InheritedSocket extends InheritedListener {
  /** undefined: that is not known. */
  readonly ipv6Only: boolean | undefined
  /** The port that was asked for, where the kernel chose `port`. */
  readonly askedPort: number | undefined
  /** Of the listener at the predecessor's door. */
  readonly number: number | undefined
  /** It is a service manager's: so are its file and its backlog. */
  readonly isManaged: boolean
  /** A server of the app has asked for it, and the config of the predecessor did not name it. */
  readonly isOfApp?: boolean | undefined
}

/** What is asked for. */
export type WantedAddress = Partial<Pick<ListenAddress, 'host' | 'port' | 'path' | 'ipv6Only'>>

const ANY = ['::', '0.0.0.0']

export class InheritedSockets {
  private readonly sockets: InheritedSocket[]

  constructor(sockets: readonly InheritedSocket[]) {
    this.sockets = [...sockets]
  }

  /** Those that nobody has taken. */
  get unclaimed(): readonly InheritedSocket[] {
    return this.sockets
  }

  /** The socket that listens on this address, if there is one; it is the caller's. `isDoors`: for clients of the app. */
  async claim(address: WantedAddress, isAcceptors: boolean): Promise<InheritedSocket | undefined> {
    const hosts = await hostsOf(address)
    const index = this.sockets.findIndex((socket) => fits(socket, address, hosts, isAcceptors))
    return index === -1 ? undefined : this.sockets.splice(index, 1)[0]
  }

  /** Closes those that were not taken, but for those that servers of the app have asked for: a worker may open its second server late. Gives what it closed. */
  closeUnclaimed(): InheritedSocket[] {
    const late = this.sockets.filter(({ isOfApp }) => isOfApp === true)
    const left = this.sockets.filter(({ isOfApp }) => isOfApp !== true)
    this.sockets.splice(0, this.sockets.length, ...late)
    for (const { fd } of left) closeSync(fd)
    return left
  }

  /** Closes the rest. Files of unix sockets that this primary had to keep for it go with them. */
  closeLate(): void {
    for (const { fd, path, isManaged } of this.sockets.splice(0)) {
      closeSync(fd)
      if (path !== undefined && !isAbstract(path) && !isManaged) rmSync(path, { force: true })
    }
  }
}

function fits(socket: InheritedSocket, address: WantedAddress, hosts: readonly string[], isAcceptors: boolean): boolean {
  const { port, path, ipv6Only = false } = address
  if (path !== undefined || socket.path !== undefined) return path === socket.path
  // Of those that may have any port each keeps to its kind.
  const isSameAsked = port === socket.askedPort && isAcceptors === (socket.number !== undefined)
  if (port !== socket.port && !isSameAsked) return false
  return hosts.includes(socket.host ?? '::') && (socket.ipv6Only ?? ipv6Only) === ipv6Only
}

/** The hosts by which the system may call this one. */
async function hostsOf({ host, path }: WantedAddress): Promise<readonly string[]> {
  if (path !== undefined) return []
  if (host === undefined) return ANY
  try {
    return [host, (await lookup(host)).address]
  } catch {
    // Whoever wants to bind it will be told.
    return [host]
  }
}
