// The listening sockets that an old primary or a service manager has passed to this primary. Each waits here until a listener claims it.

import { lookup } from 'node:dns/promises'
import { closeSync, rmSync } from 'node:fs'
import { type BoundAddress, type InheritedListener, isAbstract } from '@switchyard/handoff'
import type { ListenAddress } from '../listener-settings.ts'

/** A listening socket among the descriptors that the new primary is started with. */
export interface TransferredSocket extends BoundAddress {
  readonly fd: number
  readonly ipv6Only: boolean
  /** The port in the config; 0: the kernel chose. */
  readonly askedPort: number | undefined
  /** The old primary's number of this listener. Left out: clients of the app do not use it, such as the admin page's. */
  readonly number?: number | undefined
  /** A service manager opened it. */
  readonly isManaged: boolean
  /** A server of the app asked for it, and the config does not name it. */
  readonly isOfApp?: boolean | undefined
}

export interface InheritedSocket extends InheritedListener {
  /** undefined: unknown. */
  readonly ipv6Only: boolean | undefined
  /** The port in the config; 0: the kernel chose `port`. */
  readonly askedPort: number | undefined
  /** The old primary's number of this listener. */
  readonly number: number | undefined
  /** A service manager opened it. Its file and its backlog stay as they are. */
  readonly isManaged: boolean
  /** A server of the app asked for it, and the old primary's config did not name it. */
  readonly isOfApp?: boolean | undefined
}

export type WantedAddress = Partial<Pick<ListenAddress, 'host' | 'port' | 'path' | 'ipv6Only'>>

const ANY = ['::', '0.0.0.0']

export class InheritedSockets {
  private readonly sockets: InheritedSocket[]

  constructor(sockets: readonly InheritedSocket[]) {
    this.sockets = [...sockets]
  }

  get unclaimed(): readonly InheritedSocket[] {
    return this.sockets
  }

  /** Removes and returns the socket that listens on this address; undefined: there is none. `isAcceptors`: the socket is for clients of the app. */
  async claim(address: WantedAddress, isAcceptors: boolean): Promise<InheritedSocket | undefined> {
    const hosts = await hostsOf(address)
    const index = this.sockets.findIndex((socket) => fits(socket, address, hosts, isAcceptors))
    return index === -1 ? undefined : this.sockets.splice(index, 1)[0]
  }

  /** Closes the unclaimed sockets and returns them. Sockets of the app stay, because a worker may open its second server late. */
  closeUnclaimed(): InheritedSocket[] {
    const late = this.sockets.filter(({ isOfApp }) => isOfApp === true)
    const closed = this.sockets.filter(({ isOfApp }) => isOfApp !== true)
    this.sockets.splice(0, this.sockets.length, ...late)
    for (const { fd } of closed) closeSync(fd)
    return closed
  }

  /** Closes the remaining sockets and removes the files of unix sockets among them. */
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
  // A port that the kernel chose stays with its kind: the acceptor's or another's.
  const isSameAsked = port === socket.askedPort && isAcceptors === (socket.number !== undefined)
  if (port !== socket.port && !isSameAsked) return false
  return hosts.includes(socket.host ?? '::') && (socket.ipv6Only ?? ipv6Only) === ipv6Only
}

/** The hosts that a socket of this address may report. */
async function hostsOf({ host, path }: WantedAddress): Promise<readonly string[]> {
  if (path !== undefined) return []
  if (host === undefined) return ANY
  try {
    return [host, (await lookup(host)).address]
  } catch {
    // Binding the address reports the error.
    return [host]
  }
}
