// The built-in app of the workers of an upstream pool: an ordinary worker with an http.Server, so hand-off, queue, metrics and drain hold as for any app.

import type { IncomingMessage } from 'node:http'
import { trustedPeer } from '@switchyard/routing'
import { onDrain } from '../drain/drain.ts'
import type { ServerAddress } from '../listen-protocol.ts'
import { shareMetrics } from '../reports/app-registries.ts'
import { currentRuntime, type Runtime } from '../runtime.ts'
import { setUpstream, upstreamOf } from '../server/requests/upstream-of-request.ts'
import { isSecure } from '../server/secure-request.ts'
import type { UpstreamAddress, UpstreamStart } from '../upstream-start.ts'
import { answerRewriting } from './fields/answer-rewriting.ts'
import { proxyHeaderV2 } from './fields/proxy-header.ts'
import { pseudonymOf } from './fields/request-fields.ts'
import { hostFor, hostOf } from './fields/request-target.ts'
import { proxyServer } from './proxy-server.ts'
import { ChoiceReports } from './reports/choice-reports.ts'
import { FailureCounts } from './reports/failure-counts.ts'
import { UpstreamLog } from './reports/upstream-log.ts'
import { UpstreamMetrics } from './reports/upstream-metrics.ts'
import { startUpstreamReports } from './reports/upstream-reports.ts'
import type { ProxyContext } from './requests/proxied-request.ts'
import { serverProbes } from './servers/server-probes.ts'
import { UpstreamPolicies } from './servers/upstream-policies.ts'
import type { UpstreamServer } from './servers/upstream-server.ts'
import { nameOf, UpstreamServers } from './servers/upstream-servers.ts'
import { UpstreamVisitors } from './servers/upstream-visitors.ts'

/** Addresses of peers that are remembered. */
const MAX_PEERS = 1000

const runtime = currentRuntime()
const start = runtime?.start.upstream
if (runtime === undefined || start === undefined)
  throw new Error("this is the balancer's proxy app: it runs in the workers of a pool with 'upstream'")
await run(runtime, start)

async function run(runtime: Runtime, start: UpstreamStart): Promise<void> {
  const now = () => performance.now()
  const log = new UpstreamLog(now, (line) => process.stderr.write(`${line}\n`))
  const write = (line: string): void => log.write(line)
  const servers = new UpstreamServers({ start, now, log: write })
  const { trustedProxies, pool, accessLog } = runtime.start
  const visitors = new UpstreamVisitors({
    ...{ pool, now, maxEntries: start.maxVisitors, ttlMs: start.visitorTtlMs },
    serves: (slot) => servers.all.some((server) => server.slot === slot),
    onLearned: (slot, keys) => runtime.send({ switchyard: 'learned', slot, keys }),
  })
  const policies = await UpstreamPolicies.open({ runtime, start, servers: () => servers.all, visitors })
  const metrics = new UpstreamMetrics(
    () => servers.all,
    () => servers.waitingCount,
  )
  shareMetrics(metrics)
  const failures = new FailureCounts(Date.now)
  const changes = answerChanges({ start, policies, visitors, trustedProxies })
  const choices = new ChoiceReports({ runtime, policies, servers: () => servers.all })
  const isLogged = accessLog !== undefined
  const context: ProxyContext = {
    ...{ servers, now },
    queueTimeoutMs: start.queueTimeoutMs,
    responseTimeoutMs: start.responseTimeoutMs,
    tunnelTimeoutMs: start.tunnelTimeoutMs,
    policyOf: (request) => policies.of(request),
    changesFor: changes,
    hostFor: ({ address }, host) => hostFor(address, start.host, host),
    proxyHeader: start.proxyProtocol ? ({ socket }) => proxyHeaderV2(socket) : undefined,
    onSent(server, request) {
      metrics.onRequest(server)
      if (isLogged) setUpstream(request, nameOf(server))
      choices.record(server, request)
    },
    onAnswered(ms, request) {
      const upstream = isLogged ? upstreamOf(request) : undefined
      if (upstream !== undefined) upstream.ms = ms
    },
    onRetry(reason, server) {
      metrics.onRetry()
      failures.record(reason, server, true)
    },
    onFailure(reason, server, request) {
      metrics.onFailure(server, reason)
      failures.record(reason, server, false)
      log.write(`${lineOf(request)} failed: ${reason}${server === undefined ? '' : ` at ${nameOf(server)}`}`)
    },
  }
  const fields = {
    pseudonym: pseudonymOf(pool),
    trusts: remembered(trustedPeer(trustedProxies)),
    trustedProxies,
    stripPrefix: start.stripPrefix,
  }
  const { probe } = start
  const probes =
    probe &&
    serverProbes({ probe, hostFor: ({ address }: { address: UpstreamAddress }) => hostOf(address), log: write, chance: Math.random })
  probes?.(servers.all)
  const report = startUpstreamReports({ runtime, servers, failures })
  runtime.onMessage((message) => {
    if (message.switchyard === 'visitors') return visitors.receive(message.slot, message.keys)
    if (message.switchyard === 'choices') choices.isWanted = message.isWanted
    if (message.switchyard !== 'upstream') return
    servers.change(message)
    probes?.(servers.all)
    report()
  })
  onDrain(() => {
    servers.close()
    report()
  })
  const prefixes = { strip: start.stripPrefix, add: start.addPrefix }
  const addresses: readonly ServerAddress[] = runtime.start.listeners ?? [{ port: 0 }]
  for (const { host, port, path } of addresses) {
    proxyServer({ context, fields, prefixes }).listen(path === undefined ? { host, port } : { path })
  }
}

interface AnswerChangesOptions {
  readonly start: UpstreamStart
  readonly policies: UpstreamPolicies
  readonly visitors: UpstreamVisitors
  readonly trustedProxies: readonly string[]
}

/** What changes in the heads of answers. */
function answerChanges({ start, policies, visitors, trustedProxies }: AnswerChangesOptions): ProxyContext['changesFor'] {
  const { stripPrefix, addPrefix, rewriteLocations: locations, rewriteCookies: cookies } = start
  const rewrite = answerRewriting({ stripPrefix, addPrefix, hidesHost: start.host === 'upstream', locations, cookies })
  const learned = policies.learnedCookies
  return (request, server) => {
    const cookie = policies.cookieFor(request, server)
    if (rewrite === undefined && learned.length === 0) return { cookie, rewrite: undefined }
    return {
      cookie,
      rewrite(fields) {
        if (learned.length > 0) visitors.learn(server.slot, learned, fields)
        rewrite?.(fields, () => namesOf(request, server, start.host, trustedProxies))
      },
    }
  }
}

function namesOf(request: IncomingMessage, { address }: UpstreamServer, kept: UpstreamStart['host'], trustedProxies: readonly string[]) {
  const host = request.headers.host ?? ''
  const protocol = isSecure(request, trustedProxies) ? 'https' : 'http'
  return {
    upstream: { protocol: address.protocol, host: hostFor(address, kept, host) },
    client: { protocol, host },
  } as const
}

/** To read an address takes longer than the rest of the fields. Clients send many requests from one. */
function remembered(trusts: (address: string | undefined) => boolean): typeof trusts {
  const known = new Map<string | undefined, boolean>()
  return (address) => {
    let isTrusted = known.get(address)
    if (isTrusted === undefined) {
      isTrusted = trusts(address)
      if (known.size >= MAX_PEERS) known.clear()
      known.set(address, isTrusted)
    }
    return isTrusted
  }
}

/** Without the query, which may have secrets. */
function lineOf({ method, url = '' }: IncomingMessage): string {
  return `${method} ${url.split('?', 1)[0]?.slice(0, 200)}`
}
