// The listening sockets: opened with errors that a person can act on, and their addresses as people write them.

import { rmSync } from 'node:fs'
import type { BoundListener, Door } from '@switchyard/handoff'
import type { ServerAddress } from '@switchyard/worker-runtime'
import type { ListenAddress } from './settings.ts'
import { listenError } from './system/listen-error.ts'
import type { InheritedSocket, InheritedSockets } from './upgrade/inherited-sockets.ts'
import type { OwnSocket } from './upgrade/successor.ts'

interface Bound extends BoundListener {
  readonly asked: ListenAddress
  /** It is a service manager's. */
  readonly isManaged: boolean
  /** Its number at the primary before. */
  readonly oldNumber: number | undefined
}

/** What the primary listens on. */
export class Listeners {
  private readonly bound: Bound[] = []
  private readonly inherited: InheritedSockets | undefined
  /** Numbers of those that live on elsewhere. */
  private kept: readonly number[] = []

  /** `inherited`: sockets that listen already. */
  constructor(inherited?: InheritedSockets) {
    this.inherited = inherited
  }

  /** Opens each address at the door, which closes it. Throws BalancerError ERR_ADDRESS_IN_USE or ERR_LISTEN. */
  async open(addresses: readonly ListenAddress[], door: Door, onOpen: (address: string) => void): Promise<void> {
    for (const asked of addresses) {
      const socket = await this.inherited?.take(asked, true)
      const listener = await openListener(asked, door, socket)
      this.bound.push({ ...listener, asked, isManaged: socket?.isManaged ?? false, oldNumber: socket?.number })
      onOpen(addressText(listener))
    }
  }

  /** By number at the primary before, the number here. */
  get numbers(): Map<number, number> {
    return new Map(this.bound.flatMap(({ oldNumber, number }) => (oldNumber === undefined ? [] : [[oldNumber, number]])))
  }

  /** All of them as a successor has to know them. */
  bequeathed(door: Door): OwnSocket[] {
    return door.listening.flatMap(({ fd, number }) => {
      const one = this.bound.find((listener) => listener.number === number)
      if (one === undefined) return []
      const { host, port, path, asked, isManaged } = one
      return [{ fd, number, host, port, path, askedPort: asked.port, ipv6Only: asked.ipv6Only, isManaged }]
    })
  }

  /** These live on in a successor, and so do the files of unix sockets among them. */
  keepFiles(numbers: readonly number[]): void {
    this.kept = numbers
  }

  /** The addresses as bound; undefined while there is none. */
  get addresses(): readonly ServerAddress[] | undefined {
    return this.bound.length === 0 ? undefined : this.bound.map(({ host, port, path }) => ({ host, port, path }))
  }

  get texts(): string[] {
    return this.bound.map(addressText)
  }

  /** Removes the files of unix sockets that are nobody else's. */
  removeFiles(): void {
    for (const { path, number, isManaged } of this.bound) {
      if (path !== undefined && !isManaged && !this.kept.includes(number)) rmSync(path, { force: true })
    }
  }
}

/** Opens one listening socket. Throws BalancerError ERR_ADDRESS_IN_USE or ERR_LISTEN. */
async function openListener(address: ListenAddress, door: Door, inherited: InheritedSocket | undefined): Promise<BoundListener> {
  const { backlog, ...rest } = address
  try {
    return await door.listen(inherited?.isManaged === true ? rest : { backlog, ...rest }, inherited)
  } catch (error) {
    throw listenError(address, addressText(address), error)
  }
}

/** `127.0.0.1:3000`, `[::]:3000` or a path. */
function addressText(address: { host?: string | undefined; port?: number | undefined; path?: string | undefined }): string {
  if (address.path !== undefined) return address.path
  const host = address.host ?? '::'
  return `${host.includes(':') ? `[${host}]` : host}:${address.port ?? 0}`
}
