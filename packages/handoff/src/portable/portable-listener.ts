// A listening socket of the portable acceptor: one net.Server of Node, which accepts as soon as it listens.

import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, renameSync } from 'node:fs'
import type { Server } from 'node:net'
import { dirname, join } from 'node:path'
import { type InheritedListener, isAbstract, withMode } from '../acceptor/listener.ts'
import type { ListenerEntry } from '../acceptor/listener-table.ts'
import { listeningDescriptor } from '../node-internals/server-fields.ts'

/** The longest path of a unix socket. */
const MAX_PATH_BYTES = 107

type ListenOptions = Omit<NonNullable<Parameters<Server['listen']>[0]>, 'exclusive'>

export interface PortableListener extends ListenerEntry {
  /** undefined: it belongs to another process. */
  server: Server | undefined
  /** A socket that listens already. The server opens it with the first `acceptOn`, because Node would accept from it at once. */
  inherited: InheritedListener | undefined
}

/** Resolves when the server listens, or was closed meanwhile. `onError`: an accept has failed later. */
export async function openServer(server: Server, where: ListenOptions, onError: (error: NodeJS.ErrnoException) => void): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.once('close', resolve)
    server.listen({ ...where, exclusive: true }, () => {
      server.off('error', reject)
      server.on('error', onError)
      resolve()
    })
  })
}

/** Listens at the path of a unix socket. `open` opens the server at a path, and returns false when it was closed meanwhile. */
export async function openAtPath(path: string, mode: number | undefined, open: (path: string) => Promise<boolean>): Promise<void> {
  const first = isAbstract(path) ? path : firstName(path)
  // Node creates the file before listen() returns.
  const isOpen = await withMode(mode, () => open(first))
  if (isOpen && first !== path) renameSync(first, path)
}

/** Closes the listening socket. */
export function closeServer({ server, inherited }: PortableListener): void {
  if (inherited !== undefined && server?.listening === false) closeSync(inherited.fd)
  else server?.close()
}

/** The listening descriptor; undefined: this process has none. */
export function descriptorOf({ server, inherited }: PortableListener): number | undefined {
  return server && (listeningDescriptor(server) ?? inherited?.fd)
}

/**
 * A name beside `path` to bind first. Node removes the file of the name that it bound when it closes the socket, and by then another
 * process may listen at `path`. Throws EADDRINUSE when `path` exists.
 */
function firstName(path: string): string {
  if (existsSync(path)) throw Object.assign(new Error(`listen EADDRINUSE: address already in use ${path}`), { code: 'EADDRINUSE' })
  const name = join(dirname(path), `.${randomBytes(4).toString('hex')}`)
  return Buffer.byteLength(name) > MAX_PATH_BYTES ? path : name
}
