// Puts the control socket in its place: mode 0600, in a folder of mode 0700 that is this user's. A stale one is replaced, one that answers is another balancer's.
// At the end it goes, unless it is a successor's by then.

import { randomBytes } from 'node:crypto'
import { linkSync, lstatSync, mkdirSync, renameSync, rmdirSync, type Stats, statSync, unlinkSync, utimesSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { MAX_SOCKET_PATH_BYTES } from '../config/listen-options.ts'
import { BalancerError } from '../errors.ts'
import { folderPrefix } from './control-path.ts'

export interface SocketPlace {
  path: string
  /** Replace whatever answers there: it is the predecessor's. */
  takeOver?: boolean | undefined
}

/** A socket in its place. */
export interface PlacedSocket {
  /** Is the file at the path still this one? */
  isOurs(): boolean
  /** Takes the file away if it is still ours. Before the server closes: then the number of its file may be given to another. */
  remove(): void
}

const folderMode = 0o700
const probeTimeoutMs = 2_000
/** Those who clean folders of temporary files take what has not been touched for days. */
const touchEveryMs = 3_600_000
const attempts = 3

/** Lets the server listen at the path. Throws ERR_CONTROL, and then it listens nowhere. */
export async function placeSocket(server: Server, { path, takeOver = false }: SocketPlace): Promise<PlacedSocket> {
  if (process.platform === 'win32') throw refusal('there are no control sockets on Windows')
  // Bound under another name and then moved: nobody finds it half made, a successor can replace it at once, and libuv, which removes the name that it
  // bound whoever's it is, removes nothing.
  const unplaced = join(dirname(path), `.${randomBytes(3).toString('hex')}`)
  const bytes = Math.max(Buffer.byteLength(path), Buffer.byteLength(unplaced))
  if (bytes > MAX_SOCKET_PATH_BYTES)
    throw refusal(`the path of the control socket has ${bytes} bytes, and the system takes ${MAX_SOCKET_PATH_BYTES}: ${path}`)
  const folder = dirname(path)
  const madeFolder = await listenInFolder(server, unplaced)
  try {
    await move(unplaced, path, takeOver)
    return placed(path, madeFolder || basename(folder).startsWith(folderPrefix))
  } catch (error) {
    remove(unplaced)
    server.close()
    throw error
  }
}

/** Returns whether the folder was made for it. */
async function listenInFolder(server: Server, path: string): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    const made = preparePrivateFolder(dirname(path))
    try {
      await listen(server, path)
      return made
    } catch (error) {
      // ENOENT: another balancer that ended has just removed the empty folder.
      if (attempt === attempts || codeOf(error) !== 'ENOENT')
        throw refusal(`the control socket can't be opened: ${messageOf(error)}`, error)
    }
  }
}

/** Makes the folder if it is not there. Throws when others may enter it. Returns whether it was made. */
function preparePrivateFolder(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: folderMode })
    return true
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw refusal(`the folder of the control socket can't be made: ${messageOf(error)}`, error)
  }
  const stats = statSync(folder, { throwIfNoEntry: false })
  if (stats === undefined) return false
  if (!stats.isDirectory()) throw refusal(`the control socket needs a folder, and ${folder} is none`)
  // A link counts too: somebody else's could lead anywhere.
  const user = process.getuid?.()
  if (stats.uid !== user || lstatSync(folder).uid !== user) throw refusal(`the folder of the control socket is not this user's: ${folder}`)
  if ((stats.mode & 0o077) !== 0)
    throw refusal(`others may enter the folder of the control socket (its mode is ${(stats.mode & 0o777).toString(8)}, not 700): ${folder}`)
  return false
}

/** Binding is synchronous, and so is the mode of what it makes. */
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
    const there = lstatSync(to, { throwIfNoEntry: false })
    if (there === undefined) {
      if (linked(from, to)) return
    } else {
      if (!there.isSocket()) throw refusal(`there is a file at ${to} that is no socket`)
      if (takeOver || (await isStale(to))) return renameSync(from, to)
      if (attempt === attempts || lstatSync(to, { throwIfNoEntry: false })?.ino === there.ino)
        throw refusal(`another balancer answers on the control socket ${to}`)
    }
    if (attempt === attempts) throw refusal(`the control socket ${to} changes hands all the time`)
  }
}

/** false: someone was quicker. */
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

/** Nobody listens on it any more. */
function isStale(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const end = (stale: boolean): void => {
      socket.destroy()
      resolve(stale)
    }
    socket.setTimeout(probeTimeoutMs, () => end(false))
    socket.once('connect', () => end(false))
    socket.once('error', (error) => end(codeOf(error) === 'ECONNREFUSED' || codeOf(error) === 'ENOENT'))
  })
}

function placed(path: string, removesFolder: boolean): PlacedSocket {
  const own = lstatSync(path)
  const isOurs = (): boolean => isSame(own, lstatSync(path, { throwIfNoEntry: false }))
  const touch = setInterval(() => {
    if (isOurs()) quietly(() => utimesSync(path, new Date(), new Date()))
  }, touchEveryMs)
  touch.unref()
  return {
    isOurs,
    remove() {
      clearInterval(touch)
      if (isOurs()) remove(path)
      // Others may have sockets in it: then it stays.
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

/** For what may be gone already. */
function quietly(act: () => void): void {
  try {
    act()
  } catch {
    // So be it.
  }
}

function refusal(message: string, cause?: unknown): BalancerError {
  return new BalancerError('ERR_CONTROL', `${message.charAt(0).toUpperCase()}${message.slice(1)}`, { source: 'system', cause })
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
