// How this process was started, so that it can be started again from the files that are there by then: a path that led here through a link, such as
// `current` of a release folder, is followed anew.

import { existsSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { throughFolder } from '../system/written-path.ts'

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

/** `writtenFolder`: see `folderAsWritten`; `cwd`: the same without links. */
export function ownCommand({ execPath, argv0, execArgv, argv }: StartedProcess, writtenFolder: string, cwd: string): OwnCommand {
  const [, entry = '', ...args] = argv
  return {
    // Whoever named Node by its path gets what is there now.
    file: isAbsolute(argv0) && existsSync(argv0) ? argv0 : execPath,
    args: [...execArgv, throughFolder(entry, writtenFolder, cwd), ...args],
    cwd: writtenFolder,
  }
}
