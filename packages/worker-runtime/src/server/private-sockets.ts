// The names of this worker's private sockets, by which other workers and the primary find its servers, whichever of an app's servers those are.

import { existsSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The name of the socket, in a worker's private folder, behind which its main server serves; with a listener: that of the server which has its connections. */
export function servingSocket(folder: string, listener?: number): string {
  return join(folder, listener === undefined ? 'serving.sock' : `${listener}.sock`)
}

/** Where a worker with this folder takes a request that came by a listener. */
export function socketForListener(folder: string, listener: number): string {
  const own = servingSocket(folder, listener)
  return existsSync(own) ? own : servingSocket(folder)
}

/** From now on the name leads to the socket at `path`; undefined: nowhere. */
export function nameSocket(name: string, path: string | undefined): void {
  if (path === undefined) return rmSync(name, { force: true })
  symlinkSync(path, `${name}.new`)
  renameSync(`${name}.new`, name)
}

/** The name for one listener, beside the socket of any server of the same worker. */
export function nameFor(privatePath: string, listener?: number): string {
  return servingSocket(dirname(privatePath), listener)
}
