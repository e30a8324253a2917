// Faults that lie between the parts of a config: a route to a pool that is not there, two listeners on one address. It looks at configs that
// have other faults too, so it believes nothing of their shape.

import { clientAddress } from '@switchyard/routing'
import { defaultLimits, defaultPoolName } from './defaults.ts'
import { didYouMean, type Fault, formatPath } from './faults.ts'
import { formatAddress, parseHostPort, parseListen } from './listen.ts'
import { secretFaults, secretsOf } from './secret.ts'

export interface CheckContext {
  folder: string
  env: NodeJS.ProcessEnv
}

type Loose = Readonly<Record<string, unknown>>

/** Every fault of this kind, in the order of the config. */
export function crossFaults(input: unknown, { folder, env }: CheckContext): Fault[] {
  const config = looseOf(input)
  return [
    ...listenFaults(config, folder),
    ...routeFaults(config),
    ...adminFaults(config),
    ...secretFaults(secretsOf(config.secret, env)),
    ...proxyFaults(config),
    ...limitFaults(config),
  ]
}

function listenFaults({ listen }: Loose, folder: string): Fault[] {
  const seen = new Map<string, string>()
  return [listen].flat().flatMap((one, index) => {
    const path = Array.isArray(listen) ? `listen[${index}]` : 'listen'
    if (typeof one !== 'string' && !isWhole(one) && !isListenOptions(one)) return []
    const parsed = parseListen(one, folder)
    if ('fault' in parsed) return [{ path, message: parsed.fault }]
    const address = formatAddress(parsed.value)
    const earlier = seen.get(address)
    seen.set(address, path)
    return earlier === undefined || parsed.value.port === 0 ? [] : [{ path, message: `the same address as ${earlier}` }]
  })
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
  return typeof least === 'number' && typeof most === 'number' && least > most
    ? [{ path: 'maxRestartDelayMs', message: `expected at least restartDelayMs (${least}), got ${most}` }]
    : []
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
