// Parses a Redis url. A url with several hosts is no standard URL, so the URL class can't parse it.

export interface RedisUrl {
  readonly kind: 'single' | 'sentinel' | 'cluster'
  readonly tls: boolean
  /** Of a cluster or of sentinels: the hosts to start with. */
  readonly hosts: readonly [RedisHost, ...RedisHost[]]
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
  readonly sentinel: SentinelUrl | undefined
}

export interface RedisHost {
  readonly host: string
  readonly port: number
}

/** The name of the master, and the credentials for the sentinels. */
export interface SentinelUrl {
  readonly masterName: string
  readonly username: string | undefined
  readonly password: string | undefined
}

const PATTERN =
  /^redis(?<tls>s?)(?:\+(?<kind>sentinel|cluster))?:\/\/(?:(?<user>[^@/?#]*)@)?(?<hosts>[^@/?#]+)(?:\/(?<path>[^?#]*))?(?:\?(?<query>[^#]*))?$/
const PORTS = { single: 6379, sentinel: 26_379, cluster: 6379 }
const PARAMETERS = { single: ['db'], sentinel: ['db', 'sentinelUsername', 'sentinelPassword'], cluster: [] as string[] }
const HOST = /^(?:\[(?<six>[0-9a-fA-F:.]+)\]|(?<name>[^:[\]\s]+))(?::(?<port>\d{1,5}))?$/

/**
 * Reads `redis://user:password@host:port/db`, `redis+sentinel://user:password@host:port,host:port/master-name?db=1&sentinelPassword=…`,
 * `redis+cluster://user:password@host:port,host:port`, or each with `rediss`. Returns a fault as a text that contains no part of the url:
 * it may hold a password.
 */
export function readRedisUrl(url: string): RedisUrl | string {
  const parts = PATTERN.exec(url)?.groups
  if (parts === undefined)
    return 'expected redis://host:port, redis+sentinel://host:port,host:port/name or redis+cluster://host:port,host:port'
  const kind = (parts.kind ?? 'single') as RedisUrl['kind']
  const hosts = (parts.hosts ?? '').split(',').map((text) => readHost(text, PORTS[kind]))
  if (hosts.includes(undefined)) return 'expected each host as name:port or [address]:port'
  if (kind === 'single' && hosts.length > 1) return 'several hosts: expected redis+sentinel:// or redis+cluster://'
  const query = new URLSearchParams(parts.query ?? '')
  for (const name of query.keys()) if (!PARAMETERS[kind].includes(name)) return `unknown parameter ${name.slice(0, 32)}`

  const [username, password, path] = [decode(beforeColon(parts.user)), decode(afterColon(parts.user)), decode(parts.path)]
  if (username === undefined || password === undefined || path === undefined)
    return 'expected user, password and path to be percent-encoded'
  if (kind === 'cluster' && path !== '') return 'a cluster has no numbered databases'
  if (kind === 'sentinel' && path === '') return 'expected the name of the master behind the hosts'
  const database = query.get('db') ?? (kind === 'single' ? path || '0' : '0')
  if (!/^\d{1,4}$/.test(database)) return 'expected the number of a database'
  return {
    kind,
    tls: parts.tls === 's',
    hosts: hosts as [RedisHost, ...RedisHost[]],
    username: username || undefined,
    password: password || undefined,
    database: Number(database),
    sentinel:
      kind === 'sentinel'
        ? {
            masterName: path,
            username: query.get('sentinelUsername') || undefined,
            password: query.get('sentinelPassword') || undefined,
          }
        : undefined,
  }
}

function readHost(text: string, defaultPort: number): RedisHost | undefined {
  const parts = HOST.exec(text)?.groups
  const host = parts?.six ?? parts?.name
  const port = Number(parts?.port ?? defaultPort)
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port }
}

function beforeColon(text = ''): string {
  return text.split(':', 1)[0] ?? ''
}

function afterColon(text = ''): string {
  const colon = text.indexOf(':')
  return colon < 0 ? '' : text.slice(colon + 1)
}

function decode(text = ''): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
