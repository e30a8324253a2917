// Where the control socket of a balancer is when nobody says otherwise: one for each folder or config file, in a folder of the user's own. The command line looks
// for it by the same rule, so that it finds the balancer that was started here.

import { createHash } from 'node:crypto'
import { readdirSync, realpathSync, statSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { MAX_SOCKET_PATH_BYTES } from '../config/listen-options.ts'
import { findConfig } from '../config/load-config.ts'

/** What a balancer is known by: its config file, if it has one, and the folder that its paths start from. */
export interface Place {
  file?: string | undefined
  folder: string
}

/** How the default folder is named before the number of its user. */
export const folderPrefix = 'switchyard-'

const hashLength = 10
const maxNameLength = 24
const maxSockets = 64

/** The path that a balancer opens: in the first folder that is there, and in which it is not too long for a socket; if there is none, whoever opens it says so. */
export function defaultControlPath(place: Place, env: NodeJS.ProcessEnv): string {
  const paths = [...basesOf(env), '/tmp'].map((base) => join(base, folderName(), socketName(keyOf(place))))
  return paths.find((path) => isUsable(path)) ?? (paths[0] as string)
}

/** Where the socket of such a balancer may be: its environment need not be that of the command (a service has no XDG_RUNTIME_DIR, a shell no real path). */
export function controlPathsOf(place: Place, env: NodeJS.ProcessEnv): string[] {
  const keys = new Set([keyOf(place), keyOf({ file: place.file && realPath(place.file), folder: realPath(place.folder) })])
  const bases = new Set([...basesOf(env), `/run/user/${userId()}`, '/tmp'])
  return [...keys].flatMap((key) => [...bases].map((base) => join(base, folderName(), socketName(key))))
}

/** Every control socket of this user in the folders where they are by default. */
export function controlSocketsOf(env: NodeJS.ProcessEnv): string[] {
  const folders = [...new Set([...basesOf(env), `/run/user/${userId()}`, '/tmp'])].map((base) => join(base, folderName()))
  return folders.flatMap(socketsIn).slice(0, maxSockets)
}

function socketsIn(folder: string): string[] {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.sock'))
    return names.map((name) => join(folder, name))
  } catch {
    return []
  }
}

/** Of this user alone. */
function folderName(): string {
  return `${folderPrefix}${userId()}`
}

function userId(): number | string {
  return process.getuid?.() ?? userInfo().username
}

/** A socket is bound under a name of its own before it is moved; that one is shorter. */
function isUsable(path: string): boolean {
  const base = statSync(dirname(dirname(path)), { throwIfNoEntry: false })
  return base?.isDirectory() === true && Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES
}

/** The folder that a login session has for such files, else that of temporary files. */
function basesOf(env: NodeJS.ProcessEnv): string[] {
  const { XDG_RUNTIME_DIR: runtime, TMPDIR: temporary } = env
  return [
    ...(runtime !== undefined && isAbsolute(runtime) && isOwnFolder(runtime) ? [runtime] : []),
    temporary !== undefined && isAbsolute(temporary) ? temporary : tmpdir(),
  ]
}

/** `--config balancer.config.ts` means the same balancer as none in its folder. */
function keyOf({ file, folder }: Place): string {
  if (file === undefined) return folder
  return findConfig(dirname(file)) === file ? dirname(file) : file
}

/** The name is for people, the hash tells two folders of one name apart. */
function socketName(key: string): string {
  const name = basename(key).replaceAll(/[^\w.-]/g, '_')
  return `${name.slice(0, maxNameLength)}-${createHash('sha256').update(key).digest('hex').slice(0, hashLength)}.sock`
}

/** Not so after `sudo -E`: then it is another user's. */
function isOwnFolder(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats?.isDirectory() === true && stats.uid === process.getuid?.()
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
