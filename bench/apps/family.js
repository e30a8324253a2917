// The processes that a contender starts, and the private folder in which they find each other. All end with it, and it ends with any of them.

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

/** Nobody else may look into it. */
export const folder = mkdtempSync(join(tmpdir(), 'bench-'))

process.on('SIGTERM', () => leave(0))
process.on('SIGINT', () => leave(0))
process.on('uncaughtException', (error) => {
  console.error(error)
  leave(1)
})

/** Starts a process that belongs to this one. */
export function start(command, args, env = {}) {
  // Debian's servers are where only root looks.
  const PATH = `${process.env.PATH}:/usr/sbin`
  const member = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, PATH, ...env } })
  members.push(member)
  member.once('error', () => leave(1))
  member.once('exit', (code, signal) => {
    if (!leaving) console.error(`${command} ended with ${code ?? signal}`)
    leave(1)
  })
}

/**
 * Starts the servers of `name=size …` and resolves with the paths of the unix sockets that they listen on, by pool. A single pool takes every
 * path; the members of several refuse what is not theirs.
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

/** Says where this contender listens, once it does. */
export async function tellReady(port) {
  await untilTaken({ port, host: '127.0.0.1' })
  console.log(`ready: http://127.0.0.1:${port}`)
}

/** A port that was free a moment ago, for those who can't say which one they were given. */
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
  while (!(await takes(address))) {
    if (performance.now() > deadline) throw new Error(`nobody listens on ${address.path ?? address.port}`)
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  }
}

function takes(address) {
  return new Promise((resolve) => {
    const socket = connect(address)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

async function leave(code) {
  if (leaving) return
  leaving = true
  const running = members.filter(({ pid, exitCode, signalCode }) => pid !== undefined && exitCode === null && signalCode === null)
  for (const member of running) member.kill('SIGTERM')
  await Promise.all(running.map((member) => new Promise((resolve) => member.once('exit', resolve))))
  rmSync(folder, { recursive: true, force: true })
  process.exit(code)
}
