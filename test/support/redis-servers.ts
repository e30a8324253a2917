// Real Redis servers for tests: one, one with TLS, a primary with a replica and three sentinels, a cluster of three. Each has its own
// folder and ports that were free. None outlives the suite that started it.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atSuiteEnd } from '../suite.ts'
import { freePort } from './ports.ts'
import { type Reply, redisCommand } from './redis-client.ts'
import { type LoggedChild, spawnLogged } from './spawn.ts'
import { until } from './until.ts'

export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Sends a command of the test. */
  command(...words: readonly (string | number)[]): Promise<Reply>
  /** SIGKILL; resolves when it has ended. */
  kill(): Promise<void>
  /** SIGSTOP and SIGCONT. */
  pause(): void
  resume(): void
  /** Starts it again with the data in its folder, on the same port. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** One server without persistence; `settings` are those of redis.conf, by name. */
export function startRedis(settings: Record<string, string | number> = {}): Promise<RedisServer> {
  return start({ save: '', ...settings })
}

/** One server that writes each command to its disk before it answers OK. */
export function startDurableRedis(): Promise<RedisServer> {
  return start({ save: '', appendonly: 'yes', appendfsync: 'always' })
}

export interface TlsRedis extends RedisServer {
  /** PEM file of the authority that signed its certificate. */
  readonly ca: string
}

/** One server that speaks TLS, with its own certificate for 127.0.0.1; another port without TLS is for `command`. */
export async function startTlsRedis(): Promise<TlsRedis> {
  const folder = temporary()
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  const subject = ['-subj', '/CN=redis', '-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync('openssl', ['req', '-x509', ...curve, '-nodes', ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const tlsPort = await freePort()
  const tls = { 'tls-port': tlsPort, 'tls-cert-file': cert, 'tls-key-file': key, 'tls-ca-cert-file': cert, 'tls-auth-clients': 'no' }
  const server = await start({ save: '', ...tls })
  return { ...server, ca: cert, url: `rediss://127.0.0.1:${tlsPort}` }
}

export interface SentinelTrio {
  readonly url: string
  readonly masterName: string
  /** The server that starts as primary, and its replica. */
  readonly master: RedisServer
  readonly replica: RedisServer
  /** Makes the sentinels promote the replica, while both run. Resolves when they call it the primary. */
  failOver(): Promise<void>
}

/** A primary, a replica and three sentinels that agree within a second or two that a primary is down. */
export async function startSentinels(): Promise<SentinelTrio> {
  const masterName = 'main'
  // Either may be the primary that sends its data, and would wait five seconds for more replicas first.
  const settings = { 'repl-diskless-sync-delay': 0 }
  const master = await startRedis(settings)
  const lines = [
    `sentinel monitor ${masterName} 127.0.0.1 ${master.port} 2`,
    `sentinel down-after-milliseconds ${masterName} 1000`,
    `sentinel failover-timeout ${masterName} 3000`,
  ]
  const [replica, ...ports] = await Promise.all([
    startRedis({ replicaof: `127.0.0.1 ${master.port}`, ...settings }),
    ...[1, 2, 3].map(() => startSentinel(lines)),
  ])
  await until(async () => String(await replica.command('INFO', 'replication')).includes('master_link_status:up'), 10_000, 'a replica')
  const sees = async (port: number): Promise<boolean> => {
    const fields = (await redisCommand(port, 'SENTINEL', 'MASTER', masterName)) as string[]
    const of = (name: string): number => Number(fields[fields.indexOf(name) + 1])
    return of('num-slaves') === 1 && of('num-other-sentinels') === 2
  }
  await until(async () => (await Promise.all(ports.map(sees))).every(Boolean), 20_000, 'sentinels that know one another')
  const url = `redis+sentinel://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/${masterName}`
  const failOver = async (): Promise<void> => {
    const tell = (...words: string[]) => redisCommand(ports[0] ?? 0, 'SENTINEL', ...words, masterName)
    let toldAt = Number.NEGATIVE_INFINITY
    const isOver = async (): Promise<boolean> => {
      const [, port] = (await tell('GET-MASTER-ADDR-BY-NAME')) as string[]
      if (Number(port) === replica.port) return true
      const now = performance.now()
      if (now - toldAt > FAILOVER_MS && (await tell('FAILOVER').then(Boolean, () => false))) toldAt = now
      return false
    }
    await until(isOver, 20_000, 'a failover')
  }
  return { url, masterName, master, replica, failOver }
}

export interface RedisCluster {
  readonly url: string
  readonly nodes: readonly RedisServer[]
  /** The node that serves the slot of a key, according to itself. */
  ownerOf(slot: number): Promise<RedisServer>
  /** Moves a slot with its keys to another node, key by key, as a resharding does. */
  moveSlot(slot: number, to: RedisServer): Promise<void>
}

const SLOTS = 16_384
/**
 * Milliseconds, instead of seconds. After four publish periods a sentinel corrects the role of a server: an old primary becomes a replica,
 * and so does a new one of which the sentinel has not heard yet. On a busy machine it must hear of it in that time.
 */
const SENTINEL_PERIODS = ['info-period', 200, 'publish-period', 500, 'ping-period', 200, 'ask-period', 200, 'tilt-period', 1000]
/** A failover that lasts longer has been given up by the sentinels. */
const FAILOVER_MS = 5_000

/** Three primaries without replicas, a third of the slots each. */
export async function startCluster(): Promise<RedisCluster> {
  const busPorts = [await freePort(), await freePort(), await freePort()]
  const nodes = await Promise.all(
    busPorts.map((busPort) => startRedis({ 'cluster-enabled': 'yes', 'cluster-port': busPort, 'cluster-node-timeout': 2000 })),
  )
  const first = nodes[0] as RedisServer
  for (const [index, node] of nodes.entries()) {
    await node.command('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
    const [from, to] = [0, 1].map((more) => Math.floor((SLOTS * (index + more)) / nodes.length))
    await node.command('CLUSTER', 'ADDSLOTSRANGE', from ?? 0, (to ?? 0) - 1)
    if (node !== first) await node.command('CLUSTER', 'MEET', '127.0.0.1', first.port, busPorts[0] ?? 0)
  }
  const isWhole = async (node: RedisServer): Promise<boolean> => {
    const info = String(await node.command('CLUSTER', 'INFO'))
    return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3') && info.includes(`cluster_slots_assigned:${SLOTS}`)
  }
  await until(async () => (await Promise.all(nodes.map(isWhole))).every(Boolean), 20_000, 'a whole cluster')

  const ownerOf = async (slot: number): Promise<RedisServer> => {
    const ranges = (await first.command('CLUSTER', 'SLOTS')) as [number, number, [string, number]][]
    const port = ranges.find(([from, to]) => slot >= from && slot <= to)?.[2][1]
    const owner = nodes.find((node) => node.port === port)
    if (owner === undefined) throw new Error(`no node serves slot ${slot}`)
    return owner
  }
  const moveSlot = async (slot: number, to: RedisServer): Promise<void> => {
    const from = await ownerOf(slot)
    const [fromId, toId] = await Promise.all([from.command('CLUSTER', 'MYID'), to.command('CLUSTER', 'MYID')])
    await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(fromId))
    await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(toId))
    for (;;) {
      const [key] = (await from.command('CLUSTER', 'GETKEYSINSLOT', slot, 1)) as string[]
      if (key === undefined) break
      await from.command('MIGRATE', '127.0.0.1', to.port, key, 0, 5000)
    }
    const others = nodes.filter((node) => node !== to && node !== from)
    for (const node of [to, from, ...others]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', String(toId))
  }
  return { url: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`, nodes, ownerOf, moveSlot }
}

async function start(settings: Record<string, string | number>): Promise<RedisServer> {
  const folder = temporary()
  const port = Number(settings.port ?? (await freePort()))
  const file = join(folder, 'redis.conf')
  const all = { port, bind: '127.0.0.1', dir: folder, ...settings }
  writeFileSync(
    file,
    Object.entries(all)
      .map(([name, value]) => `${name} ${value === '' ? '""' : value}\n`)
      .join(''),
  )
  let child: LoggedChild
  const run = async (): Promise<void> => {
    child = spawnLogged('redis-server', [file], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } })
    // A server stopped by SIGSTOP would not see the signal to end.
    atSuiteEnd(() => void child.process.kill('SIGCONT'))
    await child.untilOutput(/Ready to accept connections/)
  }
  await run()
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    command: (...words) => redisCommand(port, ...words),
    kill: async () => {
      child.process.kill('SIGKILL')
      await child.ended
    },
    pause: () => void child.process.kill('SIGSTOP'),
    resume: () => void child.process.kill('SIGCONT'),
    restart: run,
    stop: () => child.stop(),
  }
}

async function startSentinel(lines: readonly string[]): Promise<number> {
  const folder = temporary()
  const port = await freePort()
  const file = join(folder, 'sentinel.conf')
  writeFileSync(file, [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, ...lines, ''].join('\n'))
  const child = spawnLogged('redis-server', [file, '--sentinel'], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } })
  await child.untilOutput(/Sentinel ID is|\+monitor/)
  // Before version 7 periods can't be set. Then everything takes longer.
  await redisCommand(port, 'SENTINEL', 'DEBUG', ...SENTINEL_PERIODS).catch(() => {})
  return port
}

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'redis-'))
  atSuiteEnd(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}
