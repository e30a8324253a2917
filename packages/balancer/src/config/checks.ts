// Faults that lie between the parts of a config: a route to a pool that is not there, two listeners on one address. It looks at configs that
// have other faults too, so it believes nothing of their shape.

import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { clientAddress } from '@switchyard/routing'
import { defaultAutoscale, defaultLimits, defaultOutliers, defaultPoolName } from './defaults.ts'
import { didYouMean, type Fault, formatPath } from './faults.ts'
import { formatAddress, parseHostPort, parseListen } from './listen.ts'
import { secretFaults, secretsOf } from './secret.ts'
import { isOverTls, sessionUrlFaults, sessionUrlOf } from './session-url.ts'
import { bytesOf } from './sizes.ts'
import { findGroup, findUser, type UserSource } from './users.ts'

export interface CheckContext {
  folder: string
  env: NodeJS.ProcessEnv
  users: UserSource
}

type Loose = Readonly<Record<string, unknown>>

/** Every fault of this kind, in the order of the config. */
export function crossFaults(input: unknown, { folder, env, users }: CheckContext): Fault[] {
  const config = looseOf(input)
  return [
    ...listenFaults(config, folder),
    ...poolFaults(config, users),
    ...routeFaults(config),
    ...adminFaults(config),
    ...controlFaults(config, folder),
    ...secretFaults(secretsOf(config.secret, env)),
    ...sessionFaults(looseOf(config.sessions), folder, env),
    ...proxyFaults(config),
    ...limitFaults(config),
  ]
}

function listenFaults({ listen, unbalanced }: Loose, folder: string): Fault[] {
  return [...addressFaults('listen', listen, folder), ...addressFaults('unbalanced', listOf(unbalanced), folder)]
}

function addressFaults(option: string, addresses: unknown, folder: string): Fault[] {
  const seen = new Map<string, string>()
  return [addresses].flat().flatMap((one, index) => {
    const path = Array.isArray(addresses) ? `${option}[${index}]` : option
    if (typeof one !== 'string' && !isWhole(one) && !isListenOptions(one)) return []
    const parsed = parseListen(one, folder)
    if ('fault' in parsed) return [{ path, message: parsed.fault }]
    const address = formatAddress(parsed.value)
    const earlier = seen.get(address)
    seen.set(address, path)
    return earlier === undefined || parsed.value.port === 0 ? [] : [{ path, message: `the same address as ${earlier}` }]
  })
}

function poolFaults({ pools, drainTimeoutMs = defaultLimits.drainTimeoutMs }: Loose, users: UserSource): Fault[] {
  return Object.entries(looseOf(pools)).flatMap(([name, value]) => {
    const pool = looseOf(value)
    const at = (...keys: string[]) => formatPath(['pools', name, ...keys])
    const { soft, hard } = looseOf(pool.maxMemory)
    return [
      ...inOrder(at('maxMemory', 'hard'), 'soft', [bytesOf(soft), soft], [bytesOf(hard), hard]),
      ...userFaults(pool, at, users),
      ...outlierFaults(looseOf(pool.outliers), at),
      ...autoscaleFaults(pool, at),
      ...atMost(at('drainSpreadMs'), 'drainTimeoutMs', pool.drainSpreadMs, drainTimeoutMs),
      ...atMost(at('drainReturnMs'), 'drainTimeoutMs', pool.drainReturnMs, drainTimeoutMs),
    ]
  })
}

function userFaults({ uid, gid }: Loose, at: (key: string) => string, users: UserSource): Fault[] {
  const faults: Fault[] = []
  const [user, group] = [uid, gid].map((id) => (typeof id === 'number' || (typeof id === 'string' && id !== '') ? id : undefined))
  const number = typeof user === 'string' ? findUser(user, users)?.uid : user
  if (users.own() !== 0) {
    const message = 'only root may start workers as another user'
    if (number !== undefined && number !== users.own()) faults.push({ path: at('uid'), message })
    if (group !== undefined) faults.push({ path: at('gid'), message })
  }
  const isKnown = user === undefined || findUser(user, users) !== undefined
  if (!isKnown && typeof user === 'string') faults.push({ path: at('uid'), message: `there is no user '${user}' in /etc/passwd` })
  // Root's own group would go along in silence.
  if (!isKnown && typeof user === 'number' && gid === undefined)
    faults.push({ path: at('gid'), message: `is missing: the user ${user} is not in /etc/passwd, which would tell its group` })
  if (typeof group === 'string' && findGroup(group, users) === undefined)
    faults.push({ path: at('gid'), message: `there is no group '${group}' in /etc/group` })
  return faults
}

function outlierFaults(outliers: Loose, at: (...keys: string[]) => string): Fault[] {
  const { baseEjectionMs: least = defaultOutliers.baseEjectionMs, maxEjectionMs: most = defaultOutliers.maxEjectionMs } = outliers
  return inOrder(at('outliers', 'maxEjectionMs'), 'baseEjectionMs', [least, least], [most, most])
}

function autoscaleFaults({ autoscale, workers }: Loose, at: (...keys: string[]) => string): Fault[] {
  if (typeof autoscale !== 'object' || autoscale === null) return []
  const { min = defaultAutoscale.min, max } = looseOf(autoscale)
  const [least, most] = [min, max].map((count) => (typeof count === 'number' ? count : undefined))
  const faults = inOrder(at('autoscale', 'max'), 'min', [least, min], [most, max])
  if (faults.length > 0 || typeof workers !== 'number') return faults
  if (workers >= (least ?? 1) && workers <= (most ?? Number.POSITIVE_INFINITY)) return []
  const range = most === undefined ? `at least ${least}` : `from ${least} to ${most}`
  return [{ path: at('workers'), message: `expected ${range}, as autoscale says, got ${workers}` }]
}

/** Each as a number, if it is one, and as it is written. */
function inOrder(path: string, lessName: string, [less, lessText]: [unknown, unknown], [more, moreText]: [unknown, unknown]): Fault[] {
  return typeof less === 'number' && typeof more === 'number' && less > more
    ? [{ path, message: `expected at least ${lessName} (${lessText}), got ${moreText}` }]
    : []
}

function atMost(path: string, boundName: string, value: unknown, bound: unknown): Fault[] {
  return typeof value === 'number' && typeof bound === 'number' && value > bound
    ? [{ path, message: `expected at most ${boundName} (${bound}), got ${value}` }]
    : []
}

function routeFaults({ pools, routes }: Loose): Fault[] {
  const names = pools === undefined ? undefined : Object.keys(looseOf(pools))
  const known = names ?? [defaultPoolName]
  return listOf(routes).flatMap((route, index) => {
    const { pool } = looseOf(route)
    if (typeof pool !== 'string' || known.includes(pool)) return []
    return [{ path: formatPath(['routes', index, 'pool']), message: `there is no pool '${pool}'${didYouMean(pool, known)}` }]
  })
}

function adminFaults({ admin }: Loose): Fault[] {
  if (typeof admin !== 'string') return []
  const parsed = parseHostPort(admin)
  return 'fault' in parsed ? [{ path: 'admin', message: `expected a port, 'host:port' or false, got '${admin}'` }] : []
}

function controlFaults({ control }: Loose, folder: string): Fault[] {
  if (typeof control !== 'string' || control === '') return []
  const parsed = parseListen({ path: control }, folder)
  return 'fault' in parsed ? [{ path: 'control', message: parsed.fault }] : []
}

function sessionFaults({ url, urlFrom, secret, tls, cookie }: Loose, folder: string, env: NodeJS.ProcessEnv): Fault[] {
  const found = sessionUrlOf({ url, urlFrom }, env)
  const faults = sessionUrlFaults(found)
  if (url !== undefined && urlFrom !== undefined) faults.push({ path: 'sessions.urlFrom', message: 'only without sessions.url' })
  const [current, previous] = listOf(secret)
  if (typeof current === 'string' && current === previous)
    faults.push({ path: 'sessions.secret', message: 'expected two different secrets' })
  if (tls !== undefined && found.warning === undefined && !isOverTls(found))
    faults.push({ path: 'sessions.tls', message: 'only with a url that begins with rediss' })
  for (const [name, file] of Object.entries(looseOf(tls))) {
    if (typeof file !== 'string' || file === '' || statSync(resolve(folder, file), { throwIfNoEntry: false })?.isFile() === true) continue
    faults.push({ path: formatPath(['sessions', 'tls', name]), message: `there is no file ${resolve(folder, file)}` })
  }
  const { sameSite, secure } = looseOf(cookie)
  if (sameSite === 'none' && secure === false)
    faults.push({
      path: 'sessions.cookie.secure',
      message: "expected true or 'auto': browsers drop a cookie with sameSite 'none' that is not secure",
    })
  return faults
}

function proxyFaults({ trustedProxies }: Loose): Fault[] {
  return listOf(trustedProxies).flatMap((proxy, index) => {
    if (typeof proxy !== 'string' || proxy === '') return []
    try {
      clientAddress({ trustedProxies: [proxy] })
      return []
    } catch {
      return [{ path: `trustedProxies[${index}]`, message: `expected an address, a CIDR such as '10.0.0.0/8', or 'unix', got '${proxy}'` }]
    }
  })
}

function limitFaults(config: Loose): Fault[] {
  const { restartDelayMs: least = defaultLimits.restartDelayMs, maxRestartDelayMs: most = defaultLimits.maxRestartDelayMs } = config
  return inOrder('maxRestartDelayMs', 'restartDelayMs', [least, least], [most, most])
}

/** The shape of these is told by the schema; here only what it found good is looked at. */
function isListenOptions(value: unknown): value is { port?: number } | { path?: string } {
  const { port, path, host } = looseOf(value)
  return (
    typeof value === 'object' &&
    value !== null &&
    (port === undefined || isWhole(port)) &&
    (path === undefined || typeof path === 'string') &&
    (host === undefined || typeof host === 'string')
  )
}

function isWhole(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65535
}

function looseOf(value: unknown): Loose {
  return typeof value === 'object' && value !== null ? (value as Loose) : {}
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
