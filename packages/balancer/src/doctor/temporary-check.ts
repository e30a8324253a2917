// Checks the folder of temporary files, in which the primary makes the workers' private sockets. Makes such a folder there, and removes it.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PrivateRoot } from '../supervisor/private-sockets/private-root.ts'
import { baseFault } from '../supervisor/private-sockets/socket-bases.ts'
import type { Check } from './check.ts'

export interface TemporaryCheckOptions {
  /** Folders in which the sockets may be, the best first. */
  readonly bases: readonly string[]
  /** Do workers run as other users? */
  readonly isShared: boolean
  /** Makes a private folder there, then a file. */
  readonly tryBase?: (base: string) => Trial
}

/** Why no socket, or only no file, can be made; undefined: it can. */
export interface Trial {
  readonly socket?: string | undefined
  readonly file?: string | undefined
}

const NAME = 'temporary folder'
/** At least one block of a file system. */
const FILE_BYTES = 65_536

export function checkTemporary({ bases, isShared, tryBase = makeAndRemove }: TemporaryCheckOptions): Check {
  const [first = ''] = bases
  const faults: string[] = []
  for (const base of bases) {
    const { socket, file } = trialOf(base, isShared, tryBase)
    if (socket !== undefined) {
      faults.push(`${base}: ${socket}`)
      continue
    }
    if (base !== first)
      return {
        name: NAME,
        state: 'warning',
        found: `${faults[0]}; the workers' private sockets are in ${base} instead`,
        advice: `${adviceFor(faults[0] ?? '', first)} An app that writes temporary files there fails.`,
      }
    if (file === undefined) return { name: NAME, state: 'ok', found: `${base} takes the workers' private sockets` }
    return {
      name: NAME,
      state: 'warning',
      found: `${base} takes the workers' private sockets, but no file: ${file}`,
      advice: adviceFor(file, base),
    }
  }
  return {
    name: NAME,
    state: 'fault',
    found: ["there is no folder for the workers' private sockets:", ...faults].join('\n'),
    advice: adviceFor(faults[0] ?? '', first),
  }
}

function trialOf(base: string, isShared: boolean, tryBase: (base: string) => Trial): Trial {
  try {
    const fault = baseFault(base, isShared)
    return fault === undefined ? tryBase(base) : { socket: fault }
  } catch (error) {
    return { socket: meaningOf(error) }
  }
}

function makeAndRemove(base: string): Trial {
  let root: PrivateRoot | undefined
  try {
    root = new PrivateRoot(base)
    const folder = root.makeFolder(0, {})
    try {
      writeFileSync(join(folder, 'space'), Buffer.alloc(FILE_BYTES))
      return {}
    } catch (error) {
      return { file: meaningOf(error) }
    }
  } catch (error) {
    return { socket: meaningOf(error) }
  } finally {
    root?.remove()
  }
}

function meaningOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  switch (code) {
    case 'ENOSPC':
      return 'it is full (ENOSPC)'
    case 'EDQUOT':
      return 'the quota of this user is used up (EDQUOT)'
    case 'EROFS':
      return 'its file system is read-only (EROFS)'
    case 'EACCES':
    case 'EPERM':
      return `this user may not write to it (${code})`
    default:
      return message
  }
}

function adviceFor(fault: string, base: string): string {
  if (/full|quota/.test(fault)) return `Make room in ${base}, or set TMPDIR to another folder.`
  if (fault.includes('does not exist')) return `Create ${base}, or set TMPDIR to a folder that exists.`
  if (fault.includes('bytes')) return 'Set TMPDIR to a folder with a shorter path.'
  if (fault.includes('read-only')) return 'Mount a tmpfs there (docker run --tmpfs /tmp), or set TMPDIR to a writable folder.'
  if (fault.includes('other users may not pass'))
    return 'Set TMPDIR to a folder that the users of the workers may pass through (mode 711 or more).'
  return 'Set TMPDIR to a folder that this user may write to.'
}
