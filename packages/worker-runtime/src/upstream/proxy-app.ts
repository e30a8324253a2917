// The built-in app of the workers of an upstream pool: an ordinary worker with an http.Server, so hand-off, queue, metrics and drain hold as for any app.

import type { IncomingMessage } from 'node:http'
import { trustedPeer } from '@switchyard/routing'
import { onDrain } from '../drain/drain.ts'
import type { ServerAddress } from '../listen-protocol.ts'
import { shareMetrics } from '../reports/app-registries.ts'
import { currentRuntime, type Runtime } from '../runtime.ts'
import type { UpstreamAddress, UpstreamStart } from '../upstream-start.ts'
import { proxyHeaderV2 } from './fields/proxy-header.ts'
import type { ProxyContext } from './proxied-request.ts'
import { proxyServer } from './proxy-server.ts'
import { startProbes } from './server-probes.ts'
import { UpstreamLog } from './upstream-log.ts'
import { UpstreamMetrics } from './upstream-metrics.ts'
import { UpstreamPolicies } from './upstream-policies.ts'
import { UpstreamServers } from './upstream-servers.ts'

/** Addresses of peers that are remembered. */
const MAX_PEERS = 1000
const DEFAULT_PORTS = { http: 80, https: 443 }

const runtime = currentRuntime()
const start = runtime?.start.upstream
if (runtime === undefined || start === undefined)
  throw new Error("this is the balancer's proxy app: it runs in the workers of a pool with 'upstream'")
await run(runtime, start)

async function run(runtime: Runtime, start: UpstreamStart): Promise<void> {
  const now = () => performance.now()
  const log = new UpstreamLog(now, (line) => process.stderr.write(`${line}\n`))
  const servers = new UpstreamServers({ start, now, log: (line) => log.write(line) })
  const policies = await UpstreamPolicies.open(runtime, start, servers.all)
  const metrics = new UpstreamMetrics(servers.all, () => servers.waitingCount)
  shareMetrics(metrics)
  const { trustedProxies, pool } = runtime.start
  const context: ProxyContext = {
    ...{ servers, now },
    queueTimeoutMs: start.queueTimeoutMs,
    responseTimeoutMs: start.responseTimeoutMs,
    tunnelTimeoutMs: start.tunnelTimeoutMs,
    policyOf: (request) => policies.of(request),
    cookieFor: (request, server) => policies.cookieFor(request, server),
    hostFor: ({ address }, host) => (start.host === 'keep' && host !== '' ? host : hostOf(address)),
    proxyHeader: start.proxyProtocol ? ({ socket }) => proxyHeaderV2(socket) : undefined,
    onSent: (server) => metrics.onRequest(server),
    onRetry: () => metrics.onRetry(),
    onFailure(reason, server, request) {
      metrics.onFailure(server, reason)
      log.write(`${lineOf(request)} failed: ${reason}${server === undefined ? '' : ` at ${server.address.name}`}`)
    },
  }
  const fields = {
    // Other balancers in a chain have other names, so a request that has passed this one often is in a loop.
    pseudonym: `switchyard-${pool}`,
    trusts: remembered(trustedPeer(trustedProxies)),
    trustedProxies,
    stripPrefix: start.stripPrefix,
  }
  if (start.probe !== undefined) {
    const hostFor = ({ address }: { address: UpstreamAddress }) => hostOf(address)
    startProbes(servers.all, { probe: start.probe, hostFor, log: (line) => log.write(line), chance: Math.random })
  }
  onDrain(() => servers.close())
  const prefixes = { strip: start.stripPrefix, add: start.addPrefix }
  const addresses: readonly ServerAddress[] = runtime.start.listeners ?? [{ port: 0 }]
  for (const { host, port, path } of addresses) {
    proxyServer({ context, fields, prefixes }).listen(path === undefined ? { host, port } : { path })
  }
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

function hostOf({ protocol, host, port, path }: UpstreamAddress): string {
  if (path !== undefined || host === undefined) return 'localhost'
  const name = host.includes(':') ? `[${host}]` : host
  return port === undefined || port === DEFAULT_PORTS[protocol] ? name : `${name}:${port}`
}

/** Without the query, which may have secrets. */
function lineOf({ method, url = '' }: IncomingMessage): string {
  return `${method} ${url.split('?', 1)[0]?.slice(0, 200)}`
}
