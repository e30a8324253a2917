// The contenders, as data. All in one scenario run the same app, each on its own port, with the same number of workers.

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HEALTH_PATH, type ObserverName } from './observers.ts'
import { KERNEL, NAIVE, ONE_EACH, queueingScenarios } from './queueing-scenarios.ts'
import { saturatedCells } from './saturated-scenarios.ts'
import { plainScenarios, type Scenario } from './scenarios.ts'
import { CONNECT_REDIS } from './session-scenarios.ts'

export interface Contender {
  readonly name: string
  /** Arguments of `node`. It listens on the port in PORT, 0 for any, and prints `ready: http://127.0.0.1:<port>`. */
  readonly args: readonly string[]
  /** How many processes must answer before anything is timed. */
  readonly workers: number
  /** Within this time each of them must have answered; left out: 5 s. */
  readonly allWorkersMs?: number
  /** Left out: `kept-alive` and `new-connections`. */
  readonly scenarios?: readonly string[]
  /** Every answer must come from the pool of its path. */
  readonly routed?: boolean
  /** A command that it needs. */
  readonly needs?: string
  readonly env?: Readonly<Record<string, string>>
  /** It is a balancer, and these observe it. */
  readonly observers?: readonly ObserverName[]
}

/** What the commands of a reload need to find the contender. */
export interface Place {
  /** A folder of its own, removed when it has ended. */
  readonly folder: string
  /** The command of the package that was fetched for it. */
  readonly command: string
}

/** A contender that replaces its workers while it serves. */
export interface ReloadContender extends Pick<Contender, 'name' | 'workers'> {
  /** A package that is fetched with npx when it is the contender's turn, and its command. */
  readonly fetched?: { readonly package: string; readonly command: string }
  /** Arguments of `node`, as of any other contender. */
  start(place: Place): readonly string[]
  /** Arguments of `node`; when that ends with 0, every worker has been replaced. */
  reload(place: Place): readonly string[]
  /** For both. */
  env?(place: Place): Readonly<Record<string, string>>
}

/** A contender whose workers print into log files. */
export interface LogContender extends Pick<ReloadContender, 'name' | 'fetched' | 'start'> {
  env(place: Place): Readonly<Record<string, string>>
}

export interface MixedContender extends Contender {
  /** It gets the trace without its heavy requests. */
  readonly withoutHeavy?: boolean
}

/** A contender that is started again and again. */
export interface StartContender {
  readonly name: string
  /** Arguments of `node`. It listens on the port, which is also in PORT. */
  args(port: number): readonly string[]
}

/** A contender that keeps sessions. If it wants a Redis, it gets the address of its own in STORE_URL. */
export interface SessionContender extends Contender {
  readonly usesRedis: boolean
  /** It has a near cache: reading a session again must send nothing to Redis. */
  readonly keepsNear?: boolean
  /** How long the writes of a turn may stay unseen; left out: 10 s. */
  readonly knownMs?: number
}

const WORKERS = 2

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const hello = fromHere('../apps/hello.js')
const pooled = fromHere('../apps/pooled.js')
const clusterPrimary = fromHere('../apps/cluster-primary.js')
const naivePrimary = fromHere('../apps/naive-primary.js')
const reloaded = fromHere('../apps/reloaded.js')
const proxied = fromHere('../apps/proxied.js')
const pm2 = fromHere('../apps/pm2.js')
const twoPorts = fromHere('../apps/two-ports.js')
const ecosystem = fromHere('../apps/ecosystem.config.cjs')
const httpProxyPrimary = fromHere('../apps/http-proxy-primary.js')
const balancer = fromHere('../../packages/balancer/bin/balancer.js')

/** As a user starts it, with the admin page. */
const start = (...args: readonly string[]): readonly string[] => [
  ...[balancer, 'start', ...args, '--listen', '127.0.0.1:0'],
  ...['--admin', '127.0.0.1:0', '--log-level', 'info', '--no-pretty'],
]
const configured = (config: string, ...more: readonly string[]): readonly string[] =>
  start('--config', fromHere(`../apps/${config}.config.js`), ...more)

export const contenders: readonly Contender[] = [
  // The kernel shares the listening socket: the least possible cost of several processes.
  { name: 'SCHED_NONE', args: [clusterPrimary, 'none', `${WORKERS}`, hello], workers: WORKERS },
  { name: 'node:cluster', args: [clusterPrimary, 'rr', `${WORKERS}`, hello], workers: WORKERS },
  // Without a config.
  { name: 'switchyard', args: start(hello, '-i', `${WORKERS}`), workers: WORKERS },

  { name: 'SCHED_NONE', args: [clusterPrimary, 'none', '2', pooled], workers: 2, scenarios: ['kept-alive-steered'] },
  { name: 'switchyard', args: configured('fifty-routes'), workers: 2, scenarios: ['kept-alive-steered'], routed: true },

  { name: 'nginx', args: [proxied, 'nginx', 'a=1', 'b=1'], workers: 2, scenarios: ['every-request-moves'], routed: true, needs: 'nginx' },
  { name: 'http-proxy', args: [httpProxyPrimary, 'a=1', 'b=1'], workers: 2, scenarios: ['every-request-moves'], routed: true },
  // Pool a is the primary itself, so that it answers one request of a pair and passes the other on, as a worker that forwards does.
  { name: 'http-proxy', args: [httpProxyPrimary, 'a=0', 'b=1'], workers: 2, scenarios: ['forwarded-post'], routed: true },
  { name: 'switchyard', args: configured('two-pools'), workers: 2, scenarios: ['every-request-moves', 'forwarded-post'], routed: true },
]

/** Nothing of a balancer is observed. */
export const UNOBSERVED = 'nothing'
/** Everything of it is. */
export const OBSERVED = 'everything'

const observing = configured('observing')
const jsonLog = { ACCESS_LOG: 'json' }
const healthPath = { HEALTH: HEALTH_PATH }

/** The contenders of `observing`: one balancer, observed in different ways. */
export const observingContenders: readonly Contender[] = [
  { name: UNOBSERVED, args: [...observing, '--admin', 'off'], workers: WORKERS, observers: [] },
  { name: 'access log', args: observing, workers: WORKERS, env: { ...jsonLog, ROTATE: 'off' }, observers: [] },
  { name: 'access log, compressed', args: observing, workers: WORKERS, env: jsonLog, observers: [] },
  { name: 'access log, one in ten', args: observing, workers: WORKERS, env: { ...jsonLog, SAMPLE: '0.1' }, observers: [] },
  { name: 'decisions', args: observing, workers: WORKERS, observers: ['decisions'] },
  { name: 'decisions, followed', args: observing, workers: WORKERS, observers: ['followedDecisions'] },
  { name: 'metrics', args: observing, workers: WORKERS, observers: ['metrics'] },
  { name: 'dashboard', args: observing, workers: WORKERS, observers: ['dashboard'] },
  { name: 'health path', args: observing, workers: WORKERS, env: healthPath, observers: ['health'] },
  {
    name: OBSERVED,
    args: observing,
    workers: WORKERS,
    env: { ...jsonLog, ...healthPath },
    observers: ['decisions', 'metrics', 'dashboard', 'health'],
  },
]

/** The contenders of `mixed`: the same workers, and the same trace for all but the last. */
export const mixedContenders: readonly MixedContender[] = [
  { name: 'cluster round robin', args: [clusterPrimary, 'rr', '4', pooled], workers: 4 },
  { name: 'nginx least_conn', args: [proxied, 'nginx', 'all=4'], workers: 4, needs: 'nginx' },
  { name: 'nginx, heavy apart', args: [proxied, 'nginx', 'web=3', 'heavy=1'], workers: 4, routed: true, needs: 'nginx' },
  { name: 'HAProxy leastconn', args: [proxied, 'haproxy', 'all=4'], workers: 4, needs: 'haproxy' },
  { name: 'switchyard', args: configured('heavy-apart'), workers: 4, routed: true },
  { name: 'switchyard, no heavy', args: configured('heavy-apart'), workers: 4, routed: true, withoutHeavy: true },
]

const everywhere = queueingScenarios.map(({ name }) => name)

/** The contenders of `queueing`. */
export const queueingContenders: readonly Contender[] = [
  // Without a config.
  { name: 'switchyard', args: start(pooled, '-i', '4'), workers: 4, scenarios: everywhere },
  { name: 'switchyard, least in-flight', args: configured('least-in-flight'), workers: 4, scenarios: everywhere },
  { name: 'cluster round robin', args: [clusterPrimary, 'rr', '4', pooled], workers: 4, scenarios: everywhere },
  { name: 'SCHED_NONE', args: [clusterPrimary, 'none', '4', pooled], workers: 4, scenarios: everywhere },
  { name: 'HAProxy leastconn', args: [proxied, 'haproxy', 'all=4'], workers: 4, scenarios: everywhere, needs: 'haproxy' },
  // Not in the mixes with I/O: one at a time serves 42 of those requests a second, and 400 come.
  { name: ONE_EACH, args: [proxied, 'haproxy-one-each', 'all=4'], workers: 4, needs: 'haproxy' },
  { name: 'nginx least_conn', args: [proxied, 'nginx', 'all=4'], workers: 4, scenarios: everywhere, needs: 'nginx' },
  { name: NAIVE, args: [naivePrimary, '4'], workers: 4, scenarios: everywhere },
]

/** The contenders of `pinned`. */
export const pinnedContenders: readonly Contender[] = [
  { name: 'cluster round robin', args: [clusterPrimary, 'rr', '2', pooled], workers: 2 },
  { name: 'SCHED_NONE', args: [clusterPrimary, 'none', '2', pooled], workers: 2 },
  { name: 'switchyard', args: start(pooled, '-i', '2'), workers: 2 },
]

const saturated = { workers: WORKERS, scenarios: saturatedCells.map(({ name }) => name) }

/** The contenders of `saturated`. */
export const saturatedContenders: readonly Contender[] = [
  { ...saturated, name: KERNEL, args: [clusterPrimary, 'none', `${WORKERS}`, pooled] },
  { ...saturated, name: 'cluster round robin', args: [clusterPrimary, 'rr', `${WORKERS}`, pooled] },
  { ...saturated, name: 'nginx least_conn', args: [proxied, 'nginx', `all=${WORKERS}`], needs: 'nginx' },
  { ...saturated, name: 'HAProxy leastconn', args: [proxied, 'haproxy', `all=${WORKERS}`], needs: 'haproxy' },
  // Without a config.
  { ...saturated, name: 'switchyard', args: start(pooled, '-i', `${WORKERS}`) },
  { ...saturated, name: 'switchyard, least in-flight', args: configured('least-in-flight', '-i', `${WORKERS}`) },
  { ...saturated, name: 'switchyard, round robin', args: configured('round-robin') },
]

/** The contenders of `tls`. The environment names the certificate. */
export const tlsContenders: readonly Contender[] = [
  { name: 'https, SCHED_NONE', args: [clusterPrimary, 'none', `${WORKERS}`, fromHere('../apps/hello-https.js')], workers: WORKERS },
  {
    name: 'switchyard',
    args: [
      ...[balancer, 'start', '--config', fromHere('../apps/tls.config.js')],
      ...['--admin', '127.0.0.1:0', '--log-level', 'info', '--no-pretty'],
    ],
    workers: WORKERS,
  },
  { name: 'nginx', args: [proxied, 'nginx-tls', `all=${WORKERS}`], workers: WORKERS, needs: 'nginx' },
  { name: 'HAProxy', args: [proxied, 'haproxy-tls', `all=${WORKERS}`], workers: WORKERS, needs: 'haproxy' },
]

/** The contenders of `upstream`. The environment names the servers. */
export const upstreamContenders: readonly Contender[] = [
  {
    name: 'switchyard',
    args: [
      ...[balancer, 'start', '--config', fromHere('../apps/upstream.config.js')],
      ...['--admin', '127.0.0.1:0', '--log-level', 'info', '--no-pretty'],
    ],
    workers: WORKERS,
  },
  { name: 'http-proxy', args: [httpProxyPrimary], workers: WORKERS },
  { name: 'nginx', args: [proxied, 'nginx'], workers: WORKERS, needs: 'nginx' },
  { name: 'HAProxy', args: [proxied, 'haproxy'], workers: WORKERS, needs: 'haproxy' },
]

/** Node's own HTTP/2 in the app. */
export const OWN_HTTP2 = 'node:http2, SCHED_NONE'

const ownHttp2 = [clusterPrimary, 'none', `${WORKERS}`, fromHere('../apps/hello-http2.js')]

/** The contenders of `http2`, without TLS. */
export const http2Contenders: readonly Contender[] = [
  { name: OWN_HTTP2, args: ownHttp2, workers: WORKERS },
  // Without objects of a request and a response: the least that Node's HTTP/2 costs.
  { name: 'node:http2 streams', args: ownHttp2, workers: WORKERS, env: { API: 'streams' } },
  {
    name: 'switchyard',
    args: [
      ...[balancer, 'start', '--config', fromHere('../apps/http2.config.js')],
      ...['--admin', '127.0.0.1:0', '--log-level', 'info', '--no-pretty'],
    ],
    workers: WORKERS,
  },
  { name: 'nginx', args: [proxied, 'nginx-http2', `all=${WORKERS}`], workers: WORKERS, needs: 'nginx' },
  { name: 'HAProxy', args: [proxied, 'haproxy-http2', `all=${WORKERS}`], workers: WORKERS, needs: 'haproxy' },
]

/** A bare cluster whose workers share the listening socket. */
export const CLUSTER = 'bare node:cluster'

/** The contenders of `start`. The balancer has neither a config nor an admin page of a fixed port. */
export const startContenders: readonly StartContender[] = [
  { name: CLUSTER, args: () => [clusterPrimary, 'none', `${WORKERS}`, hello] },
  {
    name: 'switchyard',
    args: (port) => [balancer, 'start', hello, '-i', `${WORKERS}`, '--listen', `127.0.0.1:${port}`, '--admin', '127.0.0.1:0'],
  },
]

/** The server of `scrapes`. */
export const scrapedBy = (workers: number): Pick<Contender, 'name' | 'args'> => ({
  name: 'switchyard',
  args: configured('scraped', '-i', `${workers}`),
})

const pm2Package = { package: 'pm2@7.0.4', command: 'pm2' }
const pm2Cluster: Omit<ReloadContender, 'name'> = {
  workers: WORKERS,
  fetched: pm2Package,
  start: ({ command }) => [pm2, command, `${WORKERS}`, reloaded],
  reload: ({ command }) => [command, 'reload', 'all'],
}

/** The contenders of `reload`. */
export const reloadContenders: readonly ReloadContender[] = [
  {
    name: 'switchyard',
    workers: WORKERS,
    start: ({ folder }) => start(reloaded, '-i', `${WORKERS}`, '--control', join(folder, 'control')),
    reload: ({ folder }) => [balancer, 'reload', '--control', join(folder, 'control')],
  },
  { ...pm2Cluster, name: 'PM2', env: ({ folder }) => ({ PM2_HOME: folder }) },
  { ...pm2Cluster, name: 'PM2, app closes', env: ({ folder }) => ({ PM2_HOME: folder, CLOSES: '1' }) },
  // Both run the same file for PM2: two apps, ready by message, a restart by cron, log files.
  {
    name: 'switchyard, file for PM2',
    workers: WORKERS,
    env: ({ folder }) => ({ WORKERS: `${WORKERS}`, LOG_FOLDER: folder }),
    start: ({ folder }) => [
      ...[twoPorts, balancer, 'start', ecosystem, '--control', join(folder, 'control')],
      ...['--admin', '127.0.0.1:0', '--log-level', 'info', '--no-pretty'],
    ],
    reload: ({ folder }) => [balancer, 'reload', '--control', join(folder, 'control')],
  },
  {
    ...pm2Cluster,
    name: 'PM2, the same file',
    env: ({ folder }) => ({ PM2_HOME: folder, WORKERS: `${WORKERS}`, LOG_FOLDER: folder }),
    start: ({ command }) => [twoPorts, command, 'start', ecosystem, '--no-daemon'],
  },
]

/** The contenders of `logs`. Lines begin with their time. */
export const logContenders: readonly LogContender[] = [
  { name: 'switchyard', start: () => configured('logs'), env: ({ folder }) => ({ LOG_FOLDER: folder }) },
  {
    name: 'PM2',
    fetched: pm2Package,
    start: ({ command }) => [pm2, command, `${WORKERS}`, fromHere('../apps/printing.js'), '--time'],
    env: ({ folder }) => ({ PM2_HOME: folder }),
  },
]

const sessionApp = (app: string, env: Readonly<Record<string, string>> = {}) => ({
  args: configured('sessions'),
  workers: WORKERS,
  env: { ...env, APP: app },
})
const inRedis = { usesRedis: true, needs: 'redis-server' }

/** The contenders of `sessions`: all of them behind the same balancer. */
export const sessionContenders: readonly SessionContender[] = [
  { name: 'embedded', ...sessionApp('sessions.js'), usesRedis: false },
  { name: 'redis, no near cache', ...sessionApp('sessions.js', { NEAR_CACHE: 'off' }), ...inRedis },
  { name: 'redis, near cache', ...sessionApp('sessions.js'), ...inRedis, keepsNear: true },
  { name: 'express-session, embedded', ...sessionApp('express-session.js', { STORE: 'switchyard' }), usesRedis: false },
  { name: 'express-session, redis', ...sessionApp('express-session.js', { STORE: 'switchyard' }), ...inRedis, keepsNear: true },
  { name: CONNECT_REDIS, ...sessionApp('express-session.js', { STORE: 'connect-redis' }), ...inRedis },
]

/** The contenders of `all` in one scenario. */
export function entrants<T extends Contender>(all: readonly T[], { name }: Pick<Scenario, 'name'>): readonly T[] {
  return all.filter(({ scenarios = plainScenarios }) => scenarios.includes(name))
}

/** The references that the others are compared with, each with its column in the table. */
export const references: readonly { readonly contender: string; readonly column: string }[] = [
  { contender: 'SCHED_NONE', column: '× SCHED_NONE' },
  { contender: 'node:cluster', column: '× round robin' },
  { contender: 'nginx', column: '× nginx' },
  { contender: 'http-proxy', column: '× http-proxy' },
]
