// listen() with every argument and option of Node: an app sees the same under the balancer as alone. A new option of a new Node version fails
// here until it is added.

import { mkdirSync, readFileSync } from 'node:fs'
import { createServer, Server } from 'node:net'
import { join } from 'node:path'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { patience } from '../../../../test/support/patience.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { spawnLogged } from '../../../../test/support/spawn.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { certificate } from './support/certificate.ts'
import { exchange, get } from './support/raw-client.ts'
import { fixture, startBalancer, temporaryFolder } from './support/running-balancer.ts'

const APP = 'listen-walk-app.mjs'
const PORTS = 40
const test = suite('every use of listen()', { timeoutMs: 60_000 })

/** Options of listen() that are covered. */
const WALKED = new Set(
  ['_handle', 'handle', 'fd', 'port', 'host', 'path', 'backlog', 'exclusive', 'ipv6Only', 'reusePort'].concat([
    'readableAll',
    'writableAll',
    'signal',
  ]),
)
/** Functions that get the whole options object. Options that they read count too. */
const READERS = new Set(['getFlags', 'addServerAbortSignalOption', 'ERR_INVALID_ARG_VALUE', 'publish'])

interface Seen {
  readonly [wish: string]: object
}

let ports: number[]
let taken: number
let mains: readonly [bare: number, balanced: number]

test.before(async () => {
  const holder = createServer().listen(0)
  await untilEvent(holder, 'listening')
  atSuiteEnd(() => void holder.close())
  taken = (holder.address() as { port: number }).port
  const free = new Set<number>()
  while (free.size < PORTS + 2) free.add(await freePort('::'))
  const [one, two, ...rest] = free
  mains = [one as number, two as number]
  ports = rest
  const env = { ...certificate() }
  const bare = spawnLogged(process.execPath, [fixture(APP)], { env: { ...process.env, ...env, MAIN_PORT: String(mains[0]) } })
  atSuiteEnd(() => void bare.process.kill('SIGKILL'))
  await until(async () => (await exchange(mains[0], get('/')).catch(() => undefined))?.status === 200)
  const balancer = await startBalancer({
    config: { app: APP, listen: undefined, pools: { web: { workers: 1 } } },
    env: { ...env, MAIN_PORT: String(mains[1]) },
  })
  atSuiteEnd(async () => void (await balancer.stop()))
})

for (const kind of ['net', 'http', 'https', 'tls', 'http2', 'http2s']) {
  test(`${kind}: the same as without the balancer`, async () => {
    const [alone, balanced] = [await walk(mains[0], kind), await walk(mains[1], kind)]
    for (const [wish, seen] of Object.entries(alone)) assert.equal(balanced[wish], seen, wish)
  })
}

async function walk(port: number, kind: string): Promise<Seen> {
  const folder = join(temporaryFolder(), 'walk')
  mkdirSync(folder)
  const query = new URLSearchParams({ kind, folder, taken: String(taken), ports: ports.join(',') })
  const { status, body } = await exchange(port, get(`/walk?${query}`), patience(40_000))
  assert.is(status, 200)
  return JSON.parse(body.toString().replaceAll(folder, '/walk')) as Seen
}

test('every option that this Node version reads is covered', () => {
  const source = String(Server.prototype.listen)
  const read = [...source.matchAll(/\boptions\.(\w+)/g)].map(([, name]) => name as string)
  assert.ok(read.includes('port') && read.includes('path'), 'listen() reads `port` and `path`')
  assert.equal(
    read.filter((name) => !WALKED.has(name)),
    [],
  )
  const readers = [...source.matchAll(/(\w+)\((?:[^()]*[^.\w])?options\b(?!\.)[^()]*\)/g)].map(([, name]) => name as string)
  assert.equal(
    readers.filter((name) => !READERS.has(name)),
    [],
  )
  const app = readFileSync(fixture(APP), 'utf8')
  for (const name of WALKED) assert.match(app, new RegExp(`\\b${name}\\b`), name)
})

test.run()
