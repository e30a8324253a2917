// Reads a file for PM2 and converts it into a config.

import { usableCpus } from '../pool/cpus.ts'
import { convertPm2, type Pm2Choice, type Pm2Conversion } from './convert.ts'
import { readPm2File } from './read-file.ts'

export interface ImportOptions extends Pm2Choice {
  /** Where the command runs: relative paths in the file may start there. */
  readonly cwd: string
  /** The folder of the config that is made: workers run there unless their pool says otherwise. Default: that of the file. */
  readonly configFolder?: string | undefined
  /** The number of workers that `'max'` stands for. Default: that of this machine. */
  readonly cpus?: (() => number) | undefined
}

export interface Pm2Import extends Pm2Conversion {
  /** The text of the file. */
  readonly text: string
}

/** `path`: absolute. `load`: evaluates a module. Throws ERR_CONFIG when the file can't be read, or with all of its faults. */
export async function importPm2File(path: string, load: (path: string) => Promise<unknown>, options: ImportOptions): Promise<Pm2Import> {
  const { value, text } = await readPm2File(path, load)
  return { ...convertPm2(value, { ...options, cpus: options.cpus ?? (() => usableCpus()), file: path }), text }
}
