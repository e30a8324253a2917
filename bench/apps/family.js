// The processes that a contender starts, and the private folder in which they find each other. All end with it, and it ends with any of
// them.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const START_MS = 10_000
const AGAIN_MS = 20

const app = fileURLToPath(new URL('pooled.js', import.meta.url))
const members = []
let leaving = false

/** Other users cannot enter it. */
export const folder = mkdtempSync(join(tmpdir(), 'bench-'))

process.on('SIGTERM', () => exitWith(0))
process.on('SIGINT', () => exitWith(0))
process.on('uncaughtException', (error) => {
  console.error(error)
  exitWith(1)
})

/** Starts a process that ends with this one. */
export function start(command, args, env = {}) {
  // Debian's servers are in folders that only root has in its PATH.
  const PATH = `${process.env.PATH}:/usr/sbin`
  const member = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, PATH, ...env } })
  members.push(member)
  member.once('error', () => exitWith(1))
  member.once('exit', (code, signal) => {
    if (!leaving) console.error(`${command} ended with ${code ?? signal}`)
    exitWith(1)
  })
}

/**
 * Starts the servers of `name=size …` and resolves with the paths of their unix sockets, by pool. A single pool takes every path; the
 * members of several pools refuse requests of another pool.
 */
export async function startPools(sizes) {
  const pools = new Map()
  for (const text of sizes) {
    const [pool, size] = text.split('=')
    const sockets = Array.from({ length: Number(size) }, (_, index) => join(folder, `${pool}-${index}.sock`))
    for (const LISTEN of sockets) start(process.execPath, [app], { LISTEN, ...(sizes.length > 1 && { POOL: pool }) })
    pools.set(pool, sockets)
  }
  await Promise.all([...pools.values()].flat().map((path) => untilTaken({ path })))
  return pools
}

/** Prints the address of this contender, once it listens. */
export async function printReady(port) {
  await untilTaken({ port, host: '127.0.0.1' })
  console.log(`ready: http://127.0.0.1:${port}`)
}

/** A port that was free a moment ago, for servers that cannot report the port they were given. */
export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

async function untilTaken(address) {
  const deadline = performance.now() + START_MS
  while (!(await isListening(address))) {
    if (performance.now() > deadline) throw new Error(`no server listens on ${address.path ?? address.port}`)
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  }
}

function isListening(address) {
  return new Promise((resolve) => {
    const socket = connect(address)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

async function exitWith(code) {
  if (leaving) return
  leaving = true
  const running = members.filter(({ pid, exitCode, signalCode }) => pid !== undefined && exitCode === null && signalCode === null)
  for (const member of running) member.kill('SIGTERM')
  await Promise.all(running.map((member) => new Promise((resolve) => member.once('exit', resolve))))
  rmSync(folder, { recursive: true, force: true })
  process.exit(code)
}
