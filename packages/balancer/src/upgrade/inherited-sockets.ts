// The listening sockets that this primary was started with, by a predecessor or a service manager, until somebody takes them.

import { lookup } from 'node:dns/promises'
import { closeSync } from 'node:fs'
import type { InheritedListener } from '@switchyard/handoff'
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
  get left(): readonly InheritedSocket[] {
    return this.sockets
  }

  /** The socket that listens on this address, if there is one; it is the caller's. `isDoors`: for clients of the app. */
  async take(address: WantedAddress, isDoors: boolean): Promise<InheritedSocket | undefined> {
    const hosts = await hostsOf(address)
    const index = this.sockets.findIndex((socket) => fits(socket, address, hosts, isDoors))
    return index === -1 ? undefined : this.sockets.splice(index, 1)[0]
  }

  /** Closes those that nobody has taken; gives them. */
  closeLeft(): InheritedSocket[] {
    const left = this.sockets.splice(0)
    for (const { fd } of left) closeSync(fd)
    return left
  }
}

function fits(socket: InheritedSocket, address: WantedAddress, hosts: readonly string[], isDoors: boolean): boolean {
  const { port, path, ipv6Only = false } = address
  if (path !== undefined || socket.path !== undefined) return path === socket.path
  // Of those that may have any port each keeps to its kind.
  const isSameAsked = port === socket.askedPort && isDoors === (socket.number !== undefined)
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
