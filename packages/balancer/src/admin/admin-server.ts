// The admin page: what Prometheus, an orchestrator or a person asks of the balancer. It only reads; delete it and the way of a connection is unchanged.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { formatAddress } from '../config/listen-options.ts'
import { boundConnections } from '../control/bounded-connections.ts'
import { BalancerError } from '../errors.ts'
import type { Settings } from '../settings.ts'
import type { BalancerStatus, StatusSource } from '../status.ts'
import { byOwner } from '../system/port-owner.ts'
import { Metrics } from './metrics.ts'
import { unreadyReasons } from './readiness.ts'

/** A page that is up, or why there is none. */
export type AdminResult =
  | { url: string; server: Server; warning?: undefined; close(): Promise<void> }
  | { url?: undefined; server?: undefined; warning: string; close(): Promise<void> }

type Answer = { status: number; type: string; body: string }
type Page = () => Answer | Promise<Answer>

const maxConnections = 64
/** Every page is there at once: a request that takes longer to come, or an answer that is not read, is a client's fault. */
const headersTimeoutMs = 5_000
const requestTimeoutMs = 10_000
const silenceMs = 10_000
const CLOSE_MS = 500

/**
 * Serves `/metrics`, `/livez`, `/readyz` and `/status` on the address of the settings. While `isStopping`, it is not ready, whatever it still serves.
 * `fd`: a socket that listens there already.
 * When the port is in use: ERR_ADDRESS_IN_USE if the user asked for this address, else a result with a warning and no page.
 */
export async function startAdmin(
  address: NonNullable<Settings['admin']>,
  source: StatusSource,
  isStopping: () => boolean = () => false,
  fd?: number,
): Promise<AdminResult> {
  const pages = pagesOf(source, isStopping)
  const server = createServer(
    { headersTimeout: headersTimeoutMs, requestTimeout: requestTimeoutMs, connectionsCheckingInterval: 1_000 },
    (request, response) => void answer(pages, request, response),
  )
  server.timeout = silenceMs
  boundConnections(server, maxConnections)
  try {
    await listen(server, fd === undefined ? { host: address.host, port: address.port } : { fd })
  } catch (error) {
    return failed(address, error)
  }
  const { address: host, port } = server.address() as AddressInfo
  return { url: `http://${formatAddress({ host, port })}`, server, close: () => close(server) }
}

function pagesOf(source: StatusSource, isStopping: () => boolean): Map<string, Page> {
  const metrics = new Metrics(source)
  return new Map<string, Page>([
    ['/metrics', async () => ({ status: 200, type: metrics.contentType, body: await metrics.text() })],
    ['/livez', () => livez(source)],
    ['/readyz', () => readyz(source.status(), isStopping())],
    ['/status', () => ({ status: 200, type: 'application/json', body: `${JSON.stringify(source.status(), null, 2)}\n` })],
  ])
}

/** Only what a restart may mend. That the loop turns is told by the answer itself, also when there is no status. */
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

async function answer(pages: ReadonlyMap<string, Page>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, type, body } = await answerOf(pages, request)
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    ...(status === 405 && { Allow: 'GET, HEAD' }),
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

async function answerOf(pages: ReadonlyMap<string, Page>, { method, url = '/' }: IncomingMessage): Promise<Answer> {
  const page = pages.get(url.split('?', 1)[0] as string)
  if (page === undefined) return text(404, `not found; there are ${[...pages.keys()].join(' ')}`)
  if (method !== 'GET' && method !== 'HEAD') return text(405, 'only GET and HEAD')
  try {
    return await page()
  } catch (error) {
    return text(500, error instanceof Error ? error.message : String(error))
  }
}

function text(status: number, line: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${line}\n` }
}

function listen(server: Server, where: { host: string; port: number } | { fd: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    // exclusive: the page belongs to the primary alone, whatever a cluster would do with the port.
    server.listen({ ...where, exclusive: true }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function failed(address: NonNullable<Settings['admin']>, cause: unknown): AdminResult {
  const inUse = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE'
  const where = formatAddress(address)
  const why = inUse ? `it is in use${byOwner(address)}` : (cause as Error).message
  const advice = "choose another address with --admin or the option admin, or 'off'"
  if (!address.explicit)
    return {
      warning: `there is no admin page, so no metrics and no health checks: ${where} can't be used, ${why}; ${advice}`,
      close: async () => {},
    }
  throw new BalancerError(inUse ? 'ERR_ADDRESS_IN_USE' : 'ERR_LISTEN', `The admin page can't listen on ${where}: ${why}; ${advice}`, {
    source: 'system',
    retryable: inUse,
    cause,
  })
}

/** Whoever asks at this moment is answered. */
function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
    server.closeIdleConnections()
  })
}
