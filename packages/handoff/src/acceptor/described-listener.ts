// The address of a listening descriptor that another program has opened. The native module asks the kernel; without it the tables in /proc
// tell.

import { readFileSync, readlinkSync } from 'node:fs'
import { endianness } from 'node:os'
import { hasNative, native } from '../native-module.ts'
import type { BoundAddress } from '../node-internals/listen-override.ts'

export interface DescribedListener extends BoundAddress {
  /** undefined: unknown. */
  readonly ipv6Only: boolean | undefined
}

const TABLES = '/proc/self/net'
/** States, flags and types in the tables. */
const TCP_LISTEN = '0A'
const UNIX_LISTENS = 0x10000
const UNIX_STREAM = '0001'

/** The address as it is bound; undefined unless it is a listening stream socket. */
export function describeListener(fd: number): DescribedListener | undefined {
  return hasNative() ? native().describeListener(fd) : describeByTables(fd)
}

/** The same without the native module. Linux only. */
export function describeByTables(fd: number): DescribedListener | undefined {
  const inode = inodeOf(fd)
  if (inode === undefined) return undefined
  for (const table of ['tcp', 'tcp6']) {
    for (const [, local = '', , state, , , , , , found] of rowsOf(table)) {
      if (found !== inode || state !== TCP_LISTEN) continue
      const [host = '', port = ''] = local.split(':')
      return { host: hostOf(host), port: Number.parseInt(port, 16), path: undefined, ipv6Only: table === 'tcp' ? false : undefined }
    }
  }
  for (const [, , , flags = '', type, , found, path] of rowsOf('unix')) {
    if (found !== inode || type !== UNIX_STREAM || (Number.parseInt(flags, 16) & UNIX_LISTENS) === 0) continue
    return { host: undefined, port: undefined, path: path?.replace(/^@/, '\0'), ipv6Only: false }
  }
  return undefined
}

function inodeOf(fd: number): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1]
  } catch {
    return undefined
  }
}

function rowsOf(table: string): string[][] {
  try {
    const [, ...lines] = readFileSync(`${TABLES}/${table}`, 'utf8').split('\n')
    return lines.map((line) => line.trim().split(/\s+/))
  } catch {
    return []
  }
}

/** The tables show an address as words of 32 bits in the byte order of the machine. */
function hostOf(hex: string): string {
  const bytes = Buffer.from(hex, 'hex')
  if (endianness() === 'LE') bytes.swap32()
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16))
  // URL leaves out the longest run of zeros, as is usual.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
