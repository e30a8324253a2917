// The names of a worker's private sockets. Other workers and the primary use them to reach the worker's servers.

import { existsSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The socket of the worker's main server, in its private folder; with a listener, of the server that serves the listener's connections. */
export function servingSocket(folder: string, listener?: number): string {
  return join(folder, listener === undefined ? 'serving.sock' : `${listener}.sock`)
}

/** The socket for requests of a listener, in a worker's private folder. */
export function socketForListener(folder: string, listener: number): string {
  const own = servingSocket(folder, listener)
  return existsSync(own) ? own : servingSocket(folder)
}

/** Links the name to the socket at `path`; undefined removes the name. */
export function nameSocket(name: string, path: string | undefined): void {
  if (path === undefined) return rmSync(name, { force: true })
  symlinkSync(path, `${name}.new`)
  renameSync(`${name}.new`, name)
}

/** The name for a listener, beside any private socket of the same worker. */
export function nameFor(privatePath: string, listener?: number): string {
  return servingSocket(dirname(privatePath), listener)
}
