// Paths as they were written when this process was started. Where a deployment moves a link (`current → releases/42`), a path that led through the link has to be
// followed again, and not to the release that it led to at the start.

import { realpathSync } from 'node:fs'
import { isAbsolute, join, relative } from 'node:path'

/** The current folder as the shell names it, with its links; the system knows it without them. `pwd`: the variable PWD. */
export function folderAsWritten(pwd: string | undefined, cwd: string): string {
  if (pwd === undefined || !isAbsolute(pwd)) return cwd
  try {
    return realpathSync(pwd) === realpathSync(cwd) ? pwd : cwd
  } catch {
    return cwd
  }
}

/** A path below the folder `cwd`, so that it leads through the links of `writtenFolder`, which is the same folder. */
export function throughFolder(path: string, writtenFolder: string, cwd: string): string {
  const inside = relative(cwd, path)
  return writtenFolder === cwd || inside.startsWith('..') || isAbsolute(inside) ? path : join(writtenFolder, inside)
}
