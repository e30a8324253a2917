// Ports of this machine.

import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

const FIRST = 15_000
const ATTEMPTS = 50

/**
 * A TCP port that was free a moment ago, and that the system assigns only to a program that names it. Prefer port 0 where the address can
 * be read.
 */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const end = Math.min(32_768, firstEphemeralPort())
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = await tryPort(end > FIRST ? FIRST + Math.floor(Math.random() * (end - FIRST)) : 0, host)
    if (port !== undefined) return port
  }
  throw new Error('no free port')
}

function tryPort(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, host, () => {
      const address = server.address()
      server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : undefined))
    })
  })
}

/** From here on the system takes ports for outgoing connections and for port 0. */
function firstEphemeralPort(): number {
  try {
    return Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'), 10)
  } catch {
    return FIRST
  }
}
