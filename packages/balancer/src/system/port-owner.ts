// Finds the process that listens on an address, so that an error can name it. Reads /proc; only root sees the sockets of other users'
// processes.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface PortOwner {
  readonly pid: number
  /** Its command line, shortened. */
  readonly command: string
}

export interface TakenAddress {
  readonly port?: number | undefined
  readonly path?: string | undefined
}

/** The state of a listening socket in /proc/net/tcp. */
const LISTENING = '0A'
const MAX_PROCESSES = 4096
const MAX_COMMAND = 80

/** undefined: not found. */
export function portOwner({ port, path }: TakenAddress): PortOwner | undefined {
  const inodes = path === undefined ? inodesOfPort(port) : inodesOfPath(path)
  if (inodes.size === 0) return undefined
  const pid = processes().find((candidate) => holdsSocket(candidate, inodes))
  return pid === undefined ? undefined : { pid, command: commandOf(pid) }
}

/** ` by 'node server.js' (pid 123)` for an error; empty if the process is not found. */
export function byOwner(address: TakenAddress): string {
  const owner = portOwner(address)
  if (owner === undefined) return ''
  return owner.pid === process.pid ? ' by this process itself' : ` by '${owner.command}' (pid ${owner.pid})`
}

function inodesOfPort(port: number | undefined): Set<string> {
  const wanted = (port ?? 0).toString(16).toUpperCase().padStart(4, '0')
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap(rowsOf)
  return new Set(
    rows.flatMap(([, local, , state, , , , , , inode]) => (local?.endsWith(`:${wanted}`) && state === LISTENING ? [inode as string] : [])),
  )
}

function inodesOfPath(path: string): Set<string> {
  return new Set(rowsOf('/proc/net/unix').flatMap(([, , , , , , inode, where]) => (where === path ? [inode as string] : [])))
}

function rowsOf(table: string): string[][] {
  return read(table)
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
}

function processes(): number[] {
  try {
    return readdirSync('/proc')
      .flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []))
      .slice(0, MAX_PROCESSES)
  } catch {
    return []
  }
}

function holdsSocket(pid: number, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => inodes.has(inodeOf(`/proc/${pid}/fd/${fd}`)))
  } catch {
    // Another user's process, or it has exited.
    return false
  }
}

function inodeOf(link: string): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(link))?.[1] ?? ''
  } catch {
    return ''
  }
}

function commandOf(pid: number): string {
  const words = read(`/proc/${pid}/cmdline`).split('\0').join(' ').trim()
  const printable = words.replaceAll(/[^\x20-\x7e]/g, '?')
  return printable.length > MAX_COMMAND ? `${printable.slice(0, MAX_COMMAND - 1)}…` : printable
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
