// Users and groups as this machine's own files list them. Those of a directory service are not there: they go by number.

import { readFileSync } from 'node:fs'

/** What is asked of the system; passed in, so that tests can stand for any machine. */
export interface UserSource {
  /** The number of the user that this process runs as; undefined where there are no such numbers. */
  own(): number | undefined
  /** The text of a file, or undefined when it can't be read. */
  read(path: string): string | undefined
}

export const thisMachinesUsers: UserSource = {
  own: () => process.getuid?.(),
  read(path) {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return undefined
    }
  },
}

/** The numbers of a user and of its group, by name or number. */
export function findUser(user: string | number, { read }: UserSource): { uid: number; gid: number } | undefined {
  for (const [name, , uid, gid] of rowsOf(read('/etc/passwd')))
    if (name === user || Number(uid) === user) return { uid: Number(uid), gid: Number(gid) }
  return undefined
}

/** The number of a group. */
export function findGroup(group: string, { read }: UserSource): number | undefined {
  const row = rowsOf(read('/etc/group')).find(([name]) => name === group)
  return row === undefined ? undefined : Number(row[2])
}

function rowsOf(text = ''): string[][] {
  return text
    .split('\n')
    .filter((line) => /^[^#:]+:[^:]*:\d+:/.test(line))
    .map((line) => line.split(':'))
}
