// Creates the file of the control socket, with mode 0600 in a folder with mode 0700. A stale socket is replaced; a socket that answers belongs to
// another balancer. The file is removed at the end, unless a new primary has replaced it.

import { randomBytes } from 'node:crypto'
import { linkSync, lstatSync, mkdirSync, renameSync, rmdirSync, type Stats, statSync, unlinkSync, utimesSync } from 'node:fs'
import type { Server } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { MAX_SOCKET_PATH_BYTES } from '../config/listen-options.ts'
import { BalancerError } from '../errors.ts'
import { probeSocket } from '../system/probe-socket.ts'
import { messageOf } from '../thrown-error.ts'
import { FOLDER_PREFIX } from './control-path.ts'

export interface SocketPlace {
  path: string
  /** Replace a socket that answers: it belongs to the old primary. */
  takeOver?: boolean | undefined
}

export interface PlacedSocket {
  /** Is the file at the path still this socket? */
  isOurs(): boolean
  /** Removes the file if it is still this socket. Call it before the server closes: afterwards its inode may be reused. */
  remove(): void
}

const FOLDER_MODE = 0o700
const PROBE_TIMEOUT_MS = 2_000
/** Cleaners of temporary folders remove files that have not been touched for days. */
const TOUCH_EVERY_MS = 3_600_000
const ATTEMPTS = 3

/** Makes the server listen on the path. Throws ERR_CONTROL; the server is then closed. */
export async function placeSocket(server: Server, { path, takeOver = false }: SocketPlace): Promise<PlacedSocket> {
  if (process.platform === 'win32') throw refusal('there are no control sockets on Windows')
  // Bound under another name and then renamed: clients never see a socket that does not listen yet, a new primary can replace it atomically,
  // and libuv, which unlinks the name that it bound, does not unlink the path.
  const temporary = join(dirname(path), `.${randomBytes(3).toString('hex')}`)
  const bytes = Math.max(Buffer.byteLength(path), Buffer.byteLength(temporary))
  if (bytes > MAX_SOCKET_PATH_BYTES)
    throw refusal(`the path of the control socket has ${bytes} bytes, and the system allows ${MAX_SOCKET_PATH_BYTES}: ${path}`)
  const folder = dirname(path)
  const madeFolder = await listenInFolder(server, temporary)
  try {
    await move(temporary, path, takeOver)
    return placed(path, madeFolder || basename(folder).startsWith(FOLDER_PREFIX))
  } catch (error) {
    remove(temporary)
    server.close()
    throw error
  }
}

/** Returns whether it made the folder. */
async function listenInFolder(server: Server, path: string): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    const made = preparePrivateFolder(dirname(path))
    try {
      await listen(server, path)
      return made
    } catch (error) {
      // ENOENT: another balancer has just removed the empty folder.
      if (attempt === ATTEMPTS || codeOf(error) !== 'ENOENT')
        throw refusal(`the control socket can't be opened: ${messageOf(error)}`, error)
    }
  }
}

/** Makes the folder if it does not exist. Throws if other users may enter it. Returns whether it made the folder. */
function preparePrivateFolder(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: FOLDER_MODE })
    return true
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw refusal(`the folder of the control socket can't be made: ${messageOf(error)}`, error)
  }
  const fault = folderFault(folder)
  if (fault !== undefined) throw refusal(fault)
  return false
}

/** Why the control socket can't be in the folder; undefined: it can, or there is no such folder. `user`: the id of the user that opens it. */
export function folderFault(folder: string, user = process.getuid?.()): string | undefined {
  const stats = statSync(folder, { throwIfNoEntry: false })
  if (stats === undefined) return undefined
  if (!stats.isDirectory()) return `the control socket needs a folder, and ${folder} is not a folder`
  // The owner of a link counts too: another user could point it anywhere.
  if (stats.uid !== user || lstatSync(folder).uid !== user) return `the folder of the control socket belongs to another user: ${folder}`
  if ((stats.mode & 0o077) !== 0)
    return `other users may enter the folder of the control socket (its mode is ${(stats.mode & 0o777).toString(8)}, not 700): ${folder}`
  return undefined
}

/** `listen` binds synchronously, so the umask applies to the socket only. */
function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const earlier = process.umask(0o177)
    try {
      server.once('error', reject)
      server.listen({ path, backlog: 64 }, () => {
        server.off('error', reject)
        resolve()
      })
    } finally {
      process.umask(earlier)
    }
  })
}

async function move(from: string, to: string, takeOver: boolean): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const existing = lstatSync(to, { throwIfNoEntry: false })
    if (existing === undefined) {
      if (linked(from, to)) return
    } else {
      if (!existing.isSocket()) throw refusal(`the file ${to} is not a socket`)
      if (takeOver || (await isStale(to))) return renameSync(from, to)
      if (attempt === ATTEMPTS || lstatSync(to, { throwIfNoEntry: false })?.ino === existing.ino)
        throw refusal(`another balancer answers on the control socket ${to}`)
    }
    if (attempt === ATTEMPTS) throw refusal(`other processes keep replacing the control socket ${to}`)
  }
}

/** false: another process has created the file meanwhile. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    remove(from)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    // A file system without hard links.
    renameSync(from, to)
    return true
  }
}

/** Resolves with true if no process listens on the socket. */
async function isStale(path: string): Promise<boolean> {
  const outcome = await probeSocket(path, PROBE_TIMEOUT_MS)
  return outcome === 'ECONNREFUSED' || outcome === 'ENOENT'
}

function placed(path: string, removesFolder: boolean): PlacedSocket {
  const own = lstatSync(path)
  const isOurs = (): boolean => isSame(own, lstatSync(path, { throwIfNoEntry: false }))
  const touch = setInterval(() => {
    if (isOurs()) quietly(() => utimesSync(path, new Date(), new Date()))
  }, TOUCH_EVERY_MS)
  touch.unref()
  return {
    isOurs,
    remove() {
      clearInterval(touch)
      if (isOurs()) remove(path)
      // Fails, and the folder stays, while it holds sockets of other balancers.
      if (removesFolder) quietly(() => rmdirSync(dirname(path)))
    },
  }
}

function isSame(one: Stats, other: Stats | undefined): boolean {
  return other !== undefined && one.ino === other.ino && one.dev === other.dev
}

function remove(path: string): void {
  quietly(() => unlinkSync(path))
}

/** For files that may be gone already. */
function quietly(act: () => void): void {
  try {
    act()
  } catch {
    // Nothing to do.
  }
}

function refusal(message: string, cause?: unknown): BalancerError {
  return new BalancerError('ERR_CONTROL', `${message.charAt(0).toUpperCase()}${message.slice(1)}`, { source: 'system', cause })
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
