// The command that starts this process again, from the files that are there by then: a path through a link, such as `current` of a release
// folder, is resolved anew.

import { existsSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { throughFolder } from '../system/written-path.ts'

/** What `child_process.spawn` needs. */
export interface RestartCommand {
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
}

/** The fields of `process` that it is built from. */
export interface StartedProcess {
  readonly execPath: string
  /** Node as written on the command line. */
  readonly argv0: string
  readonly execArgv: readonly string[]
  /** `argv[1]` is the entry file. */
  readonly argv: readonly string[]
}

/** `writtenFolder`: see `folderAsWritten`; `cwd`: the same folder without links. */
export function restartCommand({ execPath, argv0, execArgv, argv }: StartedProcess, writtenFolder: string, cwd: string): RestartCommand {
  const [, entry = '', ...args] = argv
  return {
    // A path to Node may lead to another version by now.
    file: isAbsolute(argv0) && existsSync(argv0) ? argv0 : execPath,
    args: [...execArgv, throughFolder(entry, writtenFolder, cwd), ...args],
    cwd: writtenFolder,
  }
}
