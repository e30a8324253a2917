// The listening sockets of the primary: addresses of the config, and addresses that servers of the app ask for.

import { chmodSync, rmSync, statSync } from 'node:fs'
import { type Acceptor, type BoundListener, errnoOf, isAbstract } from '@switchyard/handoff'
import type { ServerAddress } from '@switchyard/worker-runtime'
import type { ListenAddress } from '../listener-settings.ts'
import { listenError } from '../system/listen-error.ts'
import type { InheritedSocket, InheritedSockets, TransferredSocket } from './inherited-sockets.ts'

/** One listening socket. */
export interface Bound extends BoundListener {
  /** A reload changes some of its options. */
  asked: ListenAddress
  /** The config names it. It stays open whether or not a worker has a server for it. */
  readonly isConfigured: boolean
  /** A service manager opened it. */
  readonly isManaged: boolean
  /** The old primary's number of it. */
  readonly oldNumber: number | undefined
  /** The inode of a unix socket's file. */
  inode: number | undefined
}

export class Listeners {
  private readonly bound: Bound[] = []
  private readonly inherited: InheritedSockets | undefined
  /** Numbers of listeners that a new primary keeps. */
  private keptNumbers: readonly number[] = []

  /** `inherited`: sockets that were passed to this process. */
  constructor(inherited?: InheritedSockets) {
    this.inherited = inherited
  }

  /** Opens each address of the config. The acceptor closes them. Rejects with BalancerError ERR_ADDRESS_IN_USE or ERR_LISTEN. */
  async open(addresses: readonly ListenAddress[], acceptor: Acceptor, onOpen: (address: string) => void): Promise<void> {
    for (const asked of addresses) {
      try {
        onOpen(addressText(await this.bind(asked, acceptor, true)))
      } catch (error) {
        throw listenError(asked, addressText(asked), error)
      }
    }
  }

  /** Opens one socket. Rejects with the system's error. */
  async bind(asked: ListenAddress, acceptor: Acceptor, isConfigured: boolean): Promise<Bound> {
    const socket: InheritedSocket | undefined = await this.inherited?.claim(asked, true)
    const { backlog, peek = true, ...rest } = asked
    const listener = await acceptor.listen({ ...rest, peek, ...(socket?.isManaged !== true && { backlog }) }, socket)
    const file = fileOf(listener)
    const inode = file === undefined ? undefined : inodeOf(file)
    const bound = { ...listener, asked, isConfigured, isManaged: socket?.isManaged ?? false, oldNumber: socket?.number, inode }
    this.bound.push(bound)
    return bound
  }

  get all(): readonly Bound[] {
    return this.bound
  }

  get(number: number): Bound | undefined {
    return this.bound.find((bound) => bound.number === number)
  }

  get configured(): readonly Bound[] {
    return this.bound.filter(({ isConfigured }) => isConfigured)
  }

  /** The listeners of the config, as workers know them. */
  get known(): readonly (ServerAddress & { readonly number: number })[] {
    return this.configured.map(({ number, host, port, path }) => ({ number, host, port, path }))
  }

  /** The listener of an address that a server asks for. */
  find({ host, port, path, ipv6Only }: Pick<ListenAddress, 'host' | 'port' | 'path' | 'ipv6Only'>): Bound | undefined {
    if (path !== undefined) return this.bound.find((bound) => bound.path === path)
    return this.bound.find(
      (bound) => bound.port === port && anyHost(bound.asked.host) === anyHost(host) && bound.asked.ipv6Only === ipv6Only,
    )
  }

  /** A listener that prevents a bind of this address: it has the same port, and one of the two is for every host. */
  overlapping({ host, port }: ServerAddress): Bound | undefined {
    const isAny = (name: string | undefined) => name === undefined || name === ANY_HOST || name === '0.0.0.0'
    return this.bound.find((bound) => port !== undefined && bound.port === port && (isAny(bound.asked.host) || isAny(host)))
  }

  close(bound: Bound, acceptor: Acceptor): void {
    const index = this.bound.indexOf(bound)
    if (index === -1) return
    this.bound.splice(index, 1)
    acceptor.closeListener(bound.number)
    this.removeFile(bound)
  }

  /** Listens again if the app has removed the file of its unix socket as a stale one. Without the file no client can connect. */
  async restore(bound: Bound, acceptor: Acceptor, mode: number | undefined): Promise<Bound> {
    const file = fileOf(bound)
    if (file === undefined || bound.isManaged || inodeOf(file) === bound.inode) return bound
    await acceptor.relisten(bound.number, { path: file, backlog: bound.asked.backlog, mode })
    bound.inode = inodeOf(file)
    return bound
  }

  /** Changes the mode of a unix socket's file. Returns 0 or the system's error number. */
  chmod(bound: Bound, mode: number): number {
    const file = fileOf(bound)
    if (file === undefined || bound.isManaged) return 0
    try {
      chmodSync(file, mode)
      return 0
    } catch (error) {
      return errnoOf((error as NodeJS.ErrnoException).code)
    }
  }

  /** The old primary's numbers, each with the number here. */
  get numbers(): Map<number, number> {
    return new Map(this.bound.flatMap(({ oldNumber, number }) => (oldNumber === undefined ? [] : [[oldNumber, number]])))
  }

  /** All listening sockets, as a new primary needs them. */
  socketsToTransfer(acceptor: Acceptor): TransferredSocket[] {
    return acceptor.listening.flatMap(({ fd, number }) => {
      const one = this.bound.find((listener) => listener.number === number)
      if (one === undefined) return []
      const { host, port, path, asked, isManaged, isConfigured } = one
      return [{ fd, number, host, port, path, askedPort: asked.port, ipv6Only: asked.ipv6Only, isManaged, isOfApp: !isConfigured }]
    })
  }

  /** A new primary keeps these listeners, and so the files of unix sockets among them. */
  keepFilesOf(numbers: readonly number[]): void {
    this.keptNumbers = numbers
  }

  /** The addresses as bound; undefined while there is none. */
  get addresses(): readonly ServerAddress[] | undefined {
    return this.bound.length === 0 ? undefined : this.bound.map(({ host, port, path }) => ({ host, port, path }))
  }

  /** Is an address bound, if any of these pools listens? */
  haveAll(pools: readonly { readonly listens: boolean }[]): boolean {
    return this.bound.length > 0 || !pools.some(({ listens }) => listens)
  }

  get texts(): string[] {
    return this.bound.map(addressText)
  }

  /** As the status shows them. */
  get shown(): { readonly addresses: string[]; readonly tlsAddresses: readonly string[] } {
    return { addresses: this.texts, tlsAddresses: this.bound.filter(({ asked }) => asked.tls !== undefined).map(addressText) }
  }

  /** Removes the files of unix sockets, except those that a new primary keeps. */
  removeFiles(): void {
    for (const bound of this.bound) if (!this.keptNumbers.includes(bound.number)) this.removeFile(bound)
  }

  private removeFile(bound: Bound): void {
    const file = fileOf(bound)
    // Another process may have created a file of the same name meanwhile.
    if (file !== undefined && !bound.isManaged && inodeOf(file) === bound.inode) rmSync(file, { force: true })
  }
}

/** Every address of the machine, IPv6 and IPv4: the host of a server that names none. */
const ANY_HOST = '::'

function anyHost(host: string | undefined): string {
  return host ?? ANY_HOST
}

/** The file of a unix socket; undefined: there is none. */
function fileOf({ path }: { readonly path: string | undefined }): string | undefined {
  return path === undefined || isAbstract(path) ? undefined : path
}

function inodeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.ino
}

/** `127.0.0.1:3000`, `[::]:3000` or a path. */
export function addressText(address: { host?: string | undefined; port?: number | undefined; path?: string | undefined }): string {
  if (address.path !== undefined) return address.path
  const host = address.host ?? ANY_HOST
  return `${host.includes(':') ? `[${host}]` : host}:${address.port ?? 0}`
}
