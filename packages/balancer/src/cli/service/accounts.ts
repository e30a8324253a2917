// Users of the machine: the one that a service runs as, and what that user can reach.

import { statSync } from 'node:fs'
import { BalancerError } from '../../errors.ts'
import type { ServiceHost } from './service-host.ts'

export interface Account {
  readonly name: string
  readonly uid: number
}

const LOOKUP_MS = 10_000
/** Prints nothing if Node starts and every path can be read. */
const CHECK = 'for (const path of process.argv.slice(1)) require("node:fs").accessSync(path, 4)'

/** By name or number; directory services count. undefined: there is no such user. */
export async function findAccount(user: string, host: ServiceHost): Promise<Account | undefined> {
  const { code, stdout } = await host.run('getent', ['passwd', user], LOOKUP_MS)
  const [name, , uid] = stdout.split(':')
  return code === 0 && name && uid !== undefined ? { name, uid: Number(uid) } : undefined
}

/**
 * The user that the service of a folder runs as: the named one, else the owner of the folder, else the user that called sudo. That is root only if it is
 * named, or if there is no other. Throws ERR_SERVICE.
 */
export async function serviceAccount(named: string | undefined, folder: string, host: ServiceHost): Promise<Account> {
  const owner = statSync(folder).uid
  const candidates = named === undefined ? [owner === 0 ? undefined : String(owner), host.sudoUser, 'root'] : [named]
  for (const user of candidates) {
    const account = user === undefined ? undefined : await findAccount(user, host)
    if (account !== undefined) return account
  }
  throw new BalancerError('ERR_SERVICE', `There is no user '${named}' on this machine: create it, or name another with --run-as`, {
    source: 'system',
  })
}

/** Why the user can't run Node or read one of the paths; undefined: no obstacle was found. Only root can try. */
export async function obstacleFor(
  account: Account,
  node: string,
  paths: readonly string[],
  host: ServiceHost,
): Promise<string | undefined> {
  if (host.uid !== 0 || account.uid === 0) return undefined
  const { code, stderr } = await host.run('runuser', ['-u', account.name, '--', node, '-e', CHECK, ...paths], LOOKUP_MS)
  if (code === 0 || /there is no command/.test(stderr)) return undefined
  const [, denied] = /\baccess '([^']+)'/.exec(stderr) ?? []
  const what = denied === undefined ? `run ${node}` : `read ${denied}`
  return `the user '${account.name}' can't ${what}: install it where every user can reach it, or name another user with --run-as`
}
