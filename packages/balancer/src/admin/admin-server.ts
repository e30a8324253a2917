// The admin page of the primary, for Prometheus, orchestrators and people. It only reads the status.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { formatAddress } from '../config/listen-options.ts'
import { BalancerError } from '../errors.ts'
import type { Settings } from '../settings.ts'
import type { BalancerStatus, PoolStatus, StatusSource } from '../status.ts'
import { boundConnections } from '../system/bounded-connections.ts'
import { byOwner } from '../system/port-owner.ts'
import { messageOf } from '../thrown-error.ts'
import { HostRule } from './host-rule.ts'
import { contentTypes, formatFor } from './metric-text.ts'
import { Metrics, type MetricsSource } from './metrics.ts'

/** An open page, or the reason why there is none. */
export type AdminResult =
  | { url: string; server: Server; warning?: undefined; close(): Promise<void> }
  | { url?: undefined; server?: undefined; warning: string; close(): Promise<void> }

type Answer = { status: number; type: string; body: string | Buffer }
type Page = (request: IncomingMessage) => Answer | Promise<Answer>

/** Answers `/` and everything below `/dashboard`. */
export interface DashboardPages {
  answer(request: IncomingMessage, response: ServerResponse): Promise<void>
}

const MAX_CONNECTIONS = 64
const DASHBOARD_PATH = /^\/(dashboard(\/|$)|$)/
/** Every page is answered at once, so a longer wait is the client's fault. */
const HEADERS_TIMEOUT_MS = 5_000
const REQUEST_TIMEOUT_MS = 10_000
const IDLE_TIMEOUT_MS = 10_000
const CLOSE_TIMEOUT_MS = 500

/**
 * Serves `/metrics`, `/livez`, `/readyz` and `/status`. While `isStopping`, `/readyz` answers 503, even if connections are still accepted.
 * `fd`: a socket that listens on the address already. `dashboard` left out: `/` is not found. `warn` is told of requests for names that it refuses.
 * If the address can't be used: throws ERR_ADDRESS_IN_USE or ERR_LISTEN if the user asked for it, otherwise returns a warning and no page.
 */
export async function startAdmin(
  address: NonNullable<Settings['admin']>,
  source: MetricsSource,
  isStopping: () => boolean = () => false,
  fd?: number,
  dashboard?: DashboardPages,
  warn: (message: string) => void = () => {},
): Promise<AdminResult> {
  const pages = pagesOf(source, isStopping)
  const hosts = new HostRule(address.names, warn)
  const server = createServer(
    { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: 1_000 },
    (request, response) => void answer(pages, hosts, dashboard, request, response),
  )
  server.timeout = IDLE_TIMEOUT_MS
  boundConnections(server, MAX_CONNECTIONS)
  try {
    await listen(server, fd === undefined ? { host: address.host, port: address.port } : { fd })
  } catch (error) {
    return failed(address, error)
  }
  const { address: host, port } = server.address() as AddressInfo
  return { url: `http://${formatAddress({ host, port })}`, server, close: () => close(server) }
}

function pagesOf(source: MetricsSource, isStopping: () => boolean): Map<string, Page> {
  const metrics = new Metrics(source)
  return new Map<string, Page>([
    [
      '/metrics',
      async ({ headers }) => {
        const format = formatFor(headers.accept)
        return { status: 200, type: contentTypes[format], body: await metrics.page(format) }
      },
    ],
    ['/livez', () => livez(source)],
    ['/readyz', () => readyz(source.status(), isStopping())],
    ['/status', () => ({ status: 200, type: 'application/json', body: `${JSON.stringify(source.status(), null, 2)}\n` })],
  ])
}

/** 503 only for what a restart of the primary may repair. Without a status the answer is 200: it shows that the event loop turns. */
function livez(source: StatusSource): Answer {
  const dead = deadPools(source)
  return dead.length === 0 ? text(200, 'ok') : text(503, dead.map((name) => `pool ${name}: every worker has failed too often`).join('\n'))
}

function deadPools(source: StatusSource): string[] {
  try {
    const { live, pools } = source.status()
    return live ? [] : pools.filter(({ outageMs }) => outageMs !== null).map(({ name }) => name)
  } catch {
    return []
  }
}

function readyz(status: BalancerStatus, stopping: boolean): Answer {
  const reasons = [...(stopping ? ['it is stopping'] : []), ...unreadyReasons(status)]
  return reasons.length === 0 ? text(200, 'ok') : text(503, reasons.join('\n'))
}

/** One line for each reason why the balancer can't serve every route. Empty: it is ready. */
export function unreadyReasons({ accepting, pools }: BalancerStatus): string[] {
  const reasons = pools.filter(({ listens, ready }) => listens && ready === 0).map(unreadyReason)
  return accepting ? reasons : ['no connections are accepted', ...reasons]
}

function unreadyReason({ name, desired, workers }: PoolStatus): string {
  const states = (['starting', 'draining'] as const).flatMap((state) => {
    const count = workers.filter((worker) => worker.state === state).length
    return count === 0 ? [] : [`${count} ${state}`]
  })
  return `pool ${name}: none of ${desired} workers is ready${states.length === 0 ? '' : ` (${states.join(', ')})`}`
}

async function answer(
  pages: ReadonlyMap<string, Page>,
  hosts: HostRule,
  dashboard: DashboardPages | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const fault = hosts.faultOf(request.headersDistinct.host ?? [])
  // The dashboard refuses by the same rule, in its own form.
  if (dashboard !== undefined && DASHBOARD_PATH.test(pathOf(request))) return dashboard.answer(request, response)
  const { status, type, body } = fault === undefined ? await answerOf(pages, request) : text(fault.status, fault.why)
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    ...(status === 405 && { Allow: 'GET, HEAD' }),
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

function pathOf({ url = '/' }: IncomingMessage): string {
  return url.split('?', 1)[0] as string
}

async function answerOf(pages: ReadonlyMap<string, Page>, request: IncomingMessage): Promise<Answer> {
  const { method } = request
  const page = pages.get(pathOf(request))
  if (page === undefined) return text(404, `not found; the pages are ${[...pages.keys()].join(' ')}`)
  if (method !== 'GET' && method !== 'HEAD') return text(405, 'only GET and HEAD are allowed')
  try {
    return await page(request)
  } catch (error) {
    return text(500, messageOf(error))
  }
}

function text(status: number, line: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${line}\n` }
}

function listen(server: Server, where: { host: string; port: number } | { fd: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    // exclusive: node:cluster must not share the port with workers.
    server.listen({ ...where, exclusive: true }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function failed(address: NonNullable<Settings['admin']>, cause: unknown): AdminResult {
  const inUse = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE'
  const shown = formatAddress(address)
  const why = inUse ? `it is in use${byOwner(address)}` : (cause as Error).message
  const advice = "choose another address with --admin or the option 'admin', or turn the page off with --admin off"
  if (!address.explicit)
    return {
      warning: `there is no admin page, so no metrics and no health checks: ${shown} can't be used: ${why}; ${advice}`,
      close: async () => {},
    }
  throw new BalancerError(inUse ? 'ERR_ADDRESS_IN_USE' : 'ERR_LISTEN', `The admin page can't listen on ${shown}: ${why}; ${advice}`, {
    source: 'system',
    retryable: inUse,
    cause,
  })
}

/** Requests under way are answered, for CLOSE_TIMEOUT_MS at most. */
function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), CLOSE_TIMEOUT_MS)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
    server.closeIdleConnections()
  })
}
