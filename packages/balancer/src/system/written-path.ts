// Paths as they were written at the start of this process. When a deployment moves a link (`current → releases/42`), a path through the link
// must lead to the new release, not to the one of the start.

import { realpathSync } from 'node:fs'
import { isAbsolute, join, relative } from 'node:path'

/** The current folder as the shell names it, with its links; `cwd` is without them. `pwd`: the variable PWD. */
export function folderAsWritten(pwd: string | undefined, cwd: string): string {
  if (pwd === undefined || !isAbsolute(pwd)) return cwd
  try {
    return realpathSync(pwd) === realpathSync(cwd) ? pwd : cwd
  } catch {
    return cwd
  }
}

/** A path below `cwd`, rewritten to go through `writtenFolder`, which is the same folder with its links. */
export function throughFolder(path: string, writtenFolder: string, cwd: string): string {
  const inside = relative(cwd, path)
  return writtenFolder === cwd || inside.startsWith('..') || isAbsolute(inside) ? path : join(writtenFolder, inside)
}
