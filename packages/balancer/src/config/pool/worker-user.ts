// `uid` and `gid` of a pool: the user that its workers run as. Names are looked up in /etc/passwd and /etc/group; users of a directory service go by number.

import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import type { PoolSettings } from '../../settings.ts'
import type { Fault, Loose } from '../faults.ts'
import { expected } from '../schema.ts'

/** What the lookup reads from the system. Tests pass their own. */
export interface UserSource {
  /** The uid of this process; undefined on systems without them. */
  own(): number | undefined
  /** The text of a file, or undefined when it can't be read. */
  read(path: string): string | undefined
}

export const systemUsers: UserSource = {
  own: () => process.getuid?.(),
  read(path) {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return undefined
    }
  },
}

/** 2 ** 32 - 1 is -1 as an unsigned number, which the kernel takes for "no change". */
const MAX_ID = 2 ** 32 - 2

const account = (phrase: string) =>
  v.optional(
    expected(v.union([v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_ID)), v.pipe(v.string(), v.minLength(1))]), phrase),
  )

export const uid = account('a number or the name of a user')
export const gid = account('a number or the name of a group')

export function userFaults({ uid, gid }: Loose, at: (key: string) => string, users: UserSource): Fault[] {
  const faults: Fault[] = []
  const [user, group] = [uid, gid].map((id) => (typeof id === 'number' || (typeof id === 'string' && id !== '') ? id : undefined))
  const id = typeof user === 'string' ? findUser(user, users)?.uid : user
  if (users.own() !== 0) {
    const message = 'only root may start workers as another user: start the balancer as root, or remove this option'
    if (id !== undefined && id !== users.own()) faults.push({ path: at('uid'), message })
    if (group !== undefined) faults.push({ path: at('gid'), message })
  }
  const isKnown = user === undefined || findUser(user, users) !== undefined
  if (!isKnown && typeof user === 'string')
    faults.push({ path: at('uid'), message: `there is no user '${user}' in /etc/passwd: check the name, or write the number` })
  // Without this fault the workers would silently keep the group of root.
  if (!isKnown && typeof user === 'number' && gid === undefined)
    faults.push({ path: at('gid'), message: `is missing: the user ${user} is not in /etc/passwd, so its group is unknown; name it here` })
  if (typeof group === 'string' && findGroup(group, users) === undefined)
    faults.push({ path: at('gid'), message: `there is no group '${group}' in /etc/group: check the name, or write the number` })
  return faults
}

/** The numbers of a checked config. A user without a group brings its own group along. */
export function workerUser(
  { uid, gid }: { uid?: number | string | undefined; gid?: number | string | undefined },
  users: UserSource,
): Pick<PoolSettings, 'uid' | 'gid'> {
  const user = uid === undefined ? undefined : findUser(uid, users)
  return {
    uid: typeof uid === 'number' ? uid : user?.uid,
    gid: typeof gid === 'string' ? findGroup(gid, users) : (gid ?? user?.gid),
  }
}

function findUser(user: string | number, { read }: UserSource): { uid: number; gid: number } | undefined {
  for (const [name, , uid, gid] of rowsOf(read('/etc/passwd')))
    if (name === user || Number(uid) === user) return { uid: Number(uid), gid: Number(gid) }
  return undefined
}

function findGroup(group: string, { read }: UserSource): number | undefined {
  const row = rowsOf(read('/etc/group')).find(([name]) => name === group)
  return row === undefined ? undefined : Number(row[2])
}

function rowsOf(text = ''): string[][] {
  return text
    .split('\n')
    .filter((line) => /^[^#:]+:[^:]*:\d+:/.test(line))
    .map((line) => line.split(':'))
}
