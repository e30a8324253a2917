// `admin`, `adminHosts`, `control`, `name` and `trustedProxies`: options of the primary itself.

import { isIP } from 'node:net'
import { basename, resolve } from 'node:path'
import * as v from 'valibot'
import type { Settings } from '../settings.ts'
import type { Fault, Loose } from './faults.ts'
import { parseHostPort, parseListen } from './listen-options.ts'
import { expected, shape, trustedProxies } from './schema.ts'

/** Loopback: the page shows the status of every worker. */
const DEFAULT_ADMIN = { host: '127.0.0.1', port: 9400 }

export interface HealthConfig {
  /** The primary answers GET and HEAD for it on every listener: 200, or 503 while a pool has no ready worker. */
  path: string
}

export const healthEntries = {
  path: expected(v.pipe(v.string(), v.regex(/^\/[\w.~/-]*$/)), "a path such as '/healthz': letters, digits, /, ., -, _ and ~"),
}

export const primaryEntries = {
  admin: v.optional(
    expected(
      v.union([v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65535)), v.string(), v.literal(false)]),
      "a port, 'host:port' or false",
    ),
  ),
  adminHosts: v.optional(
    v.array(expected(v.pipe(v.string(), v.regex(/^[\w-]+(\.[\w-]+)*$/)), "a host name without protocol and port, such as 'shop.internal'")),
  ),
  health: v.optional(shape(healthEntries, "an object such as { path: '/healthz' }")),
  control: v.optional(expected(v.union([v.pipe(v.string(), v.minLength(1)), v.literal(false)]), 'the path of a socket or false')),
  /** It becomes part of the path of the control socket. */
  name: v.optional(expected(v.pipe(v.string(), v.regex(/^\w[\w.-]{0,62}$/)), 'a name: letters, digits, ., - or _, at most 63')),
  trustedProxies,
}

export function primaryFaults({ admin, control }: Loose, folder: string): Fault[] {
  const faults: Fault[] = []
  if (typeof admin === 'string' && 'fault' in parseHostPort(admin))
    faults.push({ path: 'admin', message: `expected a port, 'host:port' or false, got '${admin}'` })
  if (typeof control !== 'string' || control === '') return faults
  const parsed = parseListen({ path: control }, folder)
  return 'fault' in parsed ? [...faults, { path: 'control', message: parsed.fault }] : faults
}

/** Settings of a checked config. */
export function primarySettings(
  {
    admin,
    adminHosts = [],
    health,
    control,
    name,
  }: {
    admin?: number | string | false | undefined
    adminHosts?: readonly string[] | undefined
    health?: HealthConfig | undefined
    control?: string | false | undefined
    name?: string | undefined
  },
  folder: string,
): Pick<Settings, 'admin' | 'healthPath' | 'control' | 'name'> {
  return {
    admin: adminSettings(admin, adminHosts),
    healthPath: health?.path,
    control: typeof control === 'string' ? resolve(folder, control) : control,
    name: name ?? nameOf(folder),
  }
}

function adminSettings(admin: number | string | false | undefined, hosts: readonly string[]): Settings['admin'] {
  if (admin === false) return undefined
  const names = hosts.map((name) => name.toLowerCase())
  if (admin === undefined) return { ...DEFAULT_ADMIN, explicit: false, names }
  if (typeof admin === 'number') return { host: DEFAULT_ADMIN.host, port: admin, explicit: true, names }
  const { host, port } = (parseHostPort(admin) as { value: { host: string | undefined; port: number } }).value
  // A port alone stays on loopback. Another host must be written out.
  if (host !== undefined && isIP(host) === 0) names.push(host.toLowerCase())
  return { host: host ?? DEFAULT_ADMIN.host, port, explicit: true, names }
}

function nameOf(folder: string): string {
  const name = basename(folder)
    .replaceAll(/[^\w.-]/g, '-')
    .replace(/^[.-]+/, '')
  return name.slice(0, 63) || 'balancer'
}
