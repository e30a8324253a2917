// Is it really that process that listens on a port? Asked of the kernel, since what a process prints may be a client's words.

import { readdir, readFile, readlink } from 'node:fs/promises'

/** 127.0.0.1 as the kernel writes it, on machines of either byte order. */
const LOOPBACK = ['0100007F', '7F000001']
const LISTENING = '0A'

/** Does the process itself listen on this port of 127.0.0.1? False where that can't be told. */
export async function listensOn(pid: number, port: number): Promise<boolean> {
  try {
    const sockets = listening(await readFile(`/proc/${pid}/net/tcp`, 'latin1'), port)
    if (sockets.size === 0) return false
    for (const fd of await readdir(`/proc/${pid}/fd`)) {
      if (sockets.has(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''))) return true
    }
  } catch {
    // It is gone, it is another user's, or this is no Linux.
  }
  return false
}

/** The sockets that listen there, as descriptors name them. */
function listening(table: string, port: number): Set<string> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const local = new Set(LOOPBACK.map((address) => `${address}:${hex}`))
  const rows = table.split('\n').map((line) => line.trim().split(/\s+/))
  return new Set(rows.filter((row) => local.has(row[1] ?? '') && row[3] === LISTENING).map((row) => `socket:[${row[9]}]`))
}
