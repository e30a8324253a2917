// Checks that the addresses of the config, and of the admin page, are free or held by a balancer of this config. TCP addresses are bound for a moment.

import { accessSync, constants, lstatSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import type { RunningPrimary } from '../control/running-primary.ts'
import { nameOfPrimary } from '../control/running-primary.ts'
import type { ListenAddress } from '../listener-settings.ts'
import { addressText } from '../listeners/listeners.ts'
import type { Settings } from '../settings.ts'
import { listenFault } from '../system/listen-error.ts'
import { portOwner } from '../system/port-owner.ts'
import { probeSocket } from '../system/probe-socket.ts'
import { type Check, sentence, summary } from './check.ts'

type Finding = Omit<Check, 'name'>
type Address = Pick<ListenAddress, 'host' | 'port' | 'path' | 'ipv6Only'>

const NAME = 'addresses'
const PROBE_TIMEOUT_MS = 1_000
/** systemd, which passes the sockets of a socket unit to the service. */
const INIT_PID = 1

export interface AddressCheckOptions {
  readonly listen: Settings['listen']
  readonly admin: Settings['admin']
  readonly running: RunningPrimary | undefined
  /** Binds the address and lets go of it. Rejects with the system's error. */
  readonly tryListen?: (address: Address) => Promise<void>
}

export async function checkAddresses({ listen, admin, running, tryListen = listenOnce }: AddressCheckOptions): Promise<Check> {
  const findings: Finding[] = []
  if (listen === undefined) findings.push({ state: 'ok', found: 'the app chooses its addresses, which are not checked' })
  // One after the other: two addresses of the config may overlap.
  for (const address of listen ?? []) findings.push(await checkAddress(address, running, tryListen))
  if (admin !== undefined) findings.push(await checkAdmin(admin, running, tryListen))
  return summary(NAME, findings)
}

async function checkAdmin(
  { explicit, ...rest }: NonNullable<Settings['admin']>,
  running: RunningPrimary | undefined,
  tryListen: (address: Address) => Promise<void>,
): Promise<Finding> {
  const { state, found, advice } = await checkAddress({ ...rest, path: undefined, ipv6Only: false }, running, tryListen)
  if (state !== 'fault') return { state, found: `admin page: ${found}` }
  const effect = explicit ? '' : ', so there would be no admin page'
  const other = "'admin' of the config, or --admin, chooses another address or turns the page off."
  return {
    state: explicit ? 'fault' : 'warning',
    found: `admin page: ${found}${effect}`,
    advice: advice === undefined ? other : `${advice} ${other}`,
  }
}

async function checkAddress(
  address: Address,
  running: RunningPrimary | undefined,
  tryListen: (address: Address) => Promise<void>,
): Promise<Finding> {
  const where = addressText(address)
  if (address.port === 0) return { state: 'ok', found: `${where}: the system chooses the port` }
  try {
    await tryListen(address)
    return { state: 'ok', found: `${where} is free` }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') {
      const owner = portOwner(address)
      if (running !== undefined && (owner?.pid === running.status.pid || isAddressOf(running, address)))
        return { state: 'ok', found: `${where} is held by ${nameOfPrimary(running)}, which runs` }
      if (owner?.pid === INIT_PID && /systemd|\binit\b/.test(owner.command))
        return { state: 'ok', found: `${where} is held by a socket unit of systemd` }
    }
    const { found, advice } = listenFault(address, where, error)
    return { state: 'fault', found, ...(advice !== undefined && { advice: sentence(advice) }) }
  }
}

function isAddressOf({ status: { addresses } }: RunningPrimary, { port, path }: Address): boolean {
  return addresses.some((text) => (path === undefined ? text.endsWith(`:${port}`) : text === path))
}

function listenOnce(address: Address): Promise<void> {
  return address.path === undefined ? bindOnce(address) : tryPath(address.path)
}

function bindOnce({ host, port, ipv6Only }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', reject)
    server.listen({ host, port, ipv6Only, exclusive: true }, () => server.close(() => resolve()))
  })
}

/** Makes no file: a client could find it. A socket that refuses connections is replaced at the start. */
async function tryPath(path: string): Promise<void> {
  const folder = dirname(path)
  if (!statSync(folder).isDirectory()) throw failure('ENOTDIR')
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return accessSync(folder, constants.W_OK | constants.X_OK)
  if (!stats.isSocket() || (await answers(path))) throw failure('EADDRINUSE')
  accessSync(folder, constants.W_OK | constants.X_OK)
}

/** false: the socket refuses connections, because its process has exited. */
async function answers(path: string): Promise<boolean> {
  return (await probeSocket(path, PROBE_TIMEOUT_MS)) !== 'ECONNREFUSED'
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code })
}
