// Which process listens on a port of loopback, as the kernel says.

import { readdir, readFile, readlink } from 'node:fs/promises'

/** 127.0.0.1 in /proc/net/tcp, on machines of either byte order. */
const LOOPBACK = ['0100007F', '7F000001']
/** The state of a listening socket in /proc/net/tcp. */
const LISTENING = '0A'

/** Does the process itself listen on this port of 127.0.0.1? False if that can't be read, which is so outside Linux. */
export async function listensOn(pid: number, port: number): Promise<boolean> {
  try {
    const sockets = listeningSockets(await readFile(`/proc/${pid}/net/tcp`, 'latin1'), port)
    if (sockets.size === 0) return false
    for (const fd of await readdir(`/proc/${pid}/fd`)) {
      if (sockets.has(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''))) return true
    }
  } catch {
    // The process is gone or another user's, or this is not Linux.
  }
  return false
}

/** The listening sockets of the port in the kernel's table, in the form of the links in `/proc/<pid>/fd`. */
function listeningSockets(table: string, port: number): Set<string> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const local = new Set(LOOPBACK.map((address) => `${address}:${hex}`))
  const rows = table.split('\n').map((line) => line.trim().split(/\s+/))
  return new Set(rows.filter((row) => local.has(row[1] ?? '') && row[3] === LISTENING).map((row) => `socket:[${row[9]}]`))
}
