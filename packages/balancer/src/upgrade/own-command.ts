// How this process was started, so that it can be started again from the files that are there by then: a path that led here through a link, such as
// `current` of a release folder, is followed anew.

import { existsSync, realpathSync } from 'node:fs'
import { isAbsolute, join, relative } from 'node:path'

/** What `child_process.spawn` needs. */
export interface OwnCommand {
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
}

/** What this reads of a process. */
export interface StartedProcess {
  readonly execPath: string
  /** As whoever started it wrote it. */
  readonly argv0: string
  readonly execArgv: readonly string[]
  /** `argv[1]` is the entry. */
  readonly argv: readonly string[]
}

/**
 * The current folder as the shell names it; the system knows it without its links. Where a deployment moves a link (`current → releases/42`), it is the
 * link that has to be followed again, and not the release that it led to at the start. `pwd`: the variable PWD.
 */
export function folderAsWritten(pwd: string | undefined, cwd: string): string {
  if (pwd === undefined || !isAbsolute(pwd)) return cwd
  try {
    return realpathSync(pwd) === realpathSync(cwd) ? pwd : cwd
  } catch {
    return cwd
  }
}

/** `writtenFolder`: see `folderAsWritten`; `cwd`: the same without links. */
export function ownCommand({ execPath, argv0, execArgv, argv }: StartedProcess, writtenFolder: string, cwd: string): OwnCommand {
  const [, entry = '', ...args] = argv
  return {
    // Whoever named Node by its path gets what is there now.
    file: isAbsolute(argv0) && existsSync(argv0) ? argv0 : execPath,
    args: [...execArgv, through(entry, writtenFolder, cwd), ...args],
    cwd: writtenFolder,
  }
}

/** A path below the folder is written so that it leads through the folder's links. */
function through(path: string, writtenFolder: string, cwd: string): string {
  const inside = relative(cwd, path)
  return writtenFolder === cwd || inside.startsWith('..') || isAbsolute(inside) ? path : join(writtenFolder, inside)
}
