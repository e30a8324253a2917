// The default path of a control socket: one for each config file or folder, in a private folder of the user. Commands use the same rule to find
// the balancer that was started in their folder.

import { createHash } from 'node:crypto'
import { readdirSync, realpathSync, statSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { MAX_SOCKET_PATH_BYTES } from '../config/listen-options.ts'
import { findConfig } from '../config/load-config.ts'
import { findPm2File } from '../config/pm2-file.ts'

/** What identifies a balancer: its config file, if it has one, and the folder that its paths are relative to. */
export interface Place {
  file?: string | undefined
  folder: string
}

/** The default folder is named with this prefix and the user id. */
export const FOLDER_PREFIX = 'switchyard-'

const HASH_LENGTH = 10
const MAX_NAME_LENGTH = 24
const MAX_SOCKETS = 64

/** The path that a balancer opens, in the first base folder that exists and keeps the path short enough. Without one, opening it fails. */
export function defaultControlPath(place: Place, env: NodeJS.ProcessEnv): string {
  const paths = [...basesOf(env), '/tmp'].map((base) => join(base, folderName(), socketName(keyOf(place))))
  return paths.find((path) => isUsable(path)) ?? (paths[0] as string)
}

/**
 * All paths where the socket may be. The balancer may have another environment than the command: a service has no XDG_RUNTIME_DIR and its own
 * temporary files, and a shell may be in a linked folder.
 */
export function controlPathsOf(place: Place, env: NodeJS.ProcessEnv): string[] {
  const keys = new Set([keyOf(place), keyOf({ file: place.file && realPath(place.file), folder: realPath(place.folder) })])
  const bases = new Set([...basesOf(env), ...moreBases()])
  return [...keys].flatMap((key) => [...bases].map((base) => join(base, folderName(), socketName(key))))
}

/** All control sockets of this user in the default folders. */
export function controlSocketsOf(env: NodeJS.ProcessEnv): string[] {
  const folders = [...new Set([...basesOf(env), ...moreBases()])].map((base) => join(base, folderName()))
  return folders.flatMap(socketsIn).slice(0, MAX_SOCKETS)
}

/** Names a balancer in a folder with files of several: its folder's or config's name, and a hash of the path. */
export function nameOfPlace(place: Place): string {
  return nameOf(keyOf(place))
}

function socketsIn(folder: string): string[] {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.sock'))
    return names.map((name) => join(folder, name))
  } catch {
    return []
  }
}

/** Where the socket may be besides: `service install` puts it below /run. */
function moreBases(): string[] {
  return [`/run/user/${userId()}`, '/run', '/tmp']
}

function folderName(): string {
  return `${FOLDER_PREFIX}${userId()}`
}

function userId(): number | string {
  return process.getuid?.() ?? userInfo().username
}

function isUsable(path: string): boolean {
  const base = statSync(dirname(dirname(path)), { throwIfNoEntry: false })
  return base?.isDirectory() === true && Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES
}

/** The runtime folder of the login session, and the folder for temporary files. */
function basesOf(env: NodeJS.ProcessEnv): string[] {
  const { XDG_RUNTIME_DIR: runtime, TMPDIR: temporary } = env
  return [
    ...(runtime !== undefined && isAbsolute(runtime) && isOwnFolder(runtime) ? [runtime] : []),
    temporary !== undefined && isAbsolute(temporary) ? temporary : tmpdir(),
  ]
}

/** `--config balancer.config.ts` and no --config in its folder mean the same balancer. So does the file for PM2 of a folder without a config. */
function keyOf({ file, folder }: Place): string {
  if (file === undefined) return folder
  return (findConfig(dirname(file)) ?? findPm2File(dirname(file))) === file ? dirname(file) : file
}

function socketName(key: string): string {
  return `${nameOf(key)}.sock`
}

/** The name is for people; the hash distinguishes two folders with the same name. */
function nameOf(key: string): string {
  const name = basename(key).replaceAll(/[^\w.-]/g, '_')
  return `${name.slice(0, MAX_NAME_LENGTH)}-${createHash('sha256').update(key).digest('hex').slice(0, HASH_LENGTH)}`
}

/** After `sudo -E` the variable names another user's folder. */
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
