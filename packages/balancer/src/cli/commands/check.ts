// `balancer check`: prints the settings that the config results in, as tables. Faults are an error, as in every command.

import { formatAddress, proxyProtocolText } from '../../config/listen-options.ts'
import { shownUrl } from '../../config/session-url.ts'
import { FALLBACK_ROUTE } from '../../dispatch/route-table.ts'
import type { ListenAddress } from '../../listener-settings.ts'
import { spreadText } from '../../route-spread.ts'
import { defaultPool, type RouteSettings, type Settings } from '../../settings.ts'
import { type Overrides, readSettings } from '../command-settings.ts'
import { pathFrom, table } from '../format.ts'
import type { CliIo } from '../io.ts'

/** Throws ERR_CONFIG with every fault. */
export async function check(options: Pick<Overrides, 'config' | 'environment' | 'env'>, io: CliIo): Promise<number> {
  const { settings, warnings } = await readSettings(options, io)
  const tls = await tlsTable(settings, io.cwd)
  const parts = [`${settings.file} has no faults.`, listenLines(settings), ...tls, poolTable(settings, io.cwd), routeTable(settings)]
  io.stdout.write(`${[...parts, ...warnings.map((warning) => `Warning: ${warning}.`)].join('\n\n')}\n`)
  return 0
}

function listenLines({ listen, admin, control, sessions: { url, maxSessions } }: Settings): string {
  return table([
    ['listen', listen === undefined ? 'where the app listens' : listen.map(listenText).join(', ')],
    ['admin', admin === undefined ? 'off' : formatAddress(admin)],
    ['control', control === false ? 'off' : (control ?? 'default path for this folder and config')],
    ['sessions', url === undefined ? `in the memory of the primary, at most ${maxSessions}` : `in Redis, ${shownUrl(url)}`],
  ])
}

/** The address, and what happens there. */
function listenText(address: ListenAddress): string {
  const { peek, protocol = peek === false ? 'tcp' : undefined, proxyProtocol, tls, http2, redirectToHttps, acmeFolder } = address
  const notes = [
    ...(protocol === undefined || tls !== undefined ? [] : [protocol]),
    ...(tls === undefined ? [] : [`TLS, ${tls.preset}`]),
    ...(tls?.mutual === undefined ? [] : [`client certificates ${tls.mutual.required ? 'required' : 'asked for'}`]),
    ...(http2 === undefined || protocol === 'http2' ? [] : ['HTTP/2 too']),
    ...(redirectToHttps === undefined ? [] : [`redirects with ${redirectToHttps.status} to https on ${redirectToHttps.port}`]),
    ...(acmeFolder === undefined ? [] : [`challenges in ${acmeFolder}`]),
    ...(proxyProtocol === undefined ? [] : [proxyProtocolText(proxyProtocol)]),
  ]
  return `${formatAddress(address)}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`
}

/** By Node's name of the type. */
const KEY_TYPES: Readonly<Record<string, string>> = { ec: 'ECDSA', rsa: 'RSA', 'rsa-pss': 'RSA-PSS', ed25519: 'Ed25519' }

/** One row for each certificate of a listener. No table without any. */
async function tlsTable({ listen = [] }: Settings, cwd: string): Promise<string[]> {
  if (!listen.some(({ tls }) => tls !== undefined)) return []
  const { readCertificates } = await import('../../certificates/listener-certificates.ts')
  const rows = listen.flatMap((address) =>
    address.tls === undefined
      ? []
      : readCertificates(address.tls, Date.now()).certificates.map(({ id, names, keyType, validToMs }, index) => [
          formatAddress(address),
          index === 0 ? 'default' : '',
          names.join(' '),
          KEY_TYPES[keyType] ?? keyType,
          new Date(validToMs).toISOString().slice(0, 10),
          pathFrom(cwd, id),
        ]),
  )
  return [table([['TLS', '', 'NAMES', 'KEY', 'VALID UNTIL', 'CERTIFICATE'], ...rows])]
}

function poolTable({ pools }: Settings, cwd: string): string {
  return table([
    ['POOL', 'WORKERS', 'QUEUE', 'APP'],
    ...pools.map(({ name, workers, queueLimit, queueTimeoutMs, app, listens, schedule, upstream }) => [
      name,
      schedule === undefined ? String(workers) : `at ${schedule.pattern}`,
      listens ? `${queueLimit} for ${queueTimeoutMs} ms` : '-',
      upstream === undefined ? pathFrom(cwd, app) : `proxy for ${upstream.servers.map((server) => server.name).join(', ')}`,
    ]),
  ])
}

/** With a column on HTTP/2 if any of its streams may be spread. */
function routeTable(settings: Settings): string {
  const { routes, pools, defaultPolicy, listen = [] } = settings
  const fallback = { name: FALLBACK_ROUTE, match: {}, pool: defaultPool(pools)?.name ?? '', policy: defaultPolicy }
  const hasSpread = listen.some(({ http2 }) => http2?.spread) || routes.some(({ spread }) => spread !== undefined)
  const cells = (route: RouteSettings) => [route.name, route.pool, route.policy.name, ...(hasSpread ? [spreadText(route, settings)] : [])]
  return table([
    ['', 'ROUTE', 'POOL', 'POLICY', ...(hasSpread ? ['SPREAD'] : [])],
    ...routes.map((route, index) => [String(index), ...cells(route)]),
    ['', ...cells(fallback)],
  ])
}
