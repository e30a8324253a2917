// Packages of contenders that are no dependency of ours: fetched with npm when they are needed, at an exact version.

import { realpathSync } from 'node:fs'
import { startChild } from './children.ts'

const FETCH_MS = 180_000

/** The file of a command of a package. Rejects with npm's message when it cannot be fetched. */
export async function fetchCommand({ package: name, command }: { readonly package: string; readonly command: string }): Promise<string> {
  const child = startChild('npm', ['exec', '--yes', `--package=${name}`, '--', 'sh', '-c', `echo "command: $(command -v ${command})"`])
  const bound = setTimeout(() => void child.stop(), FETCH_MS)
  const code = await child.ended
  clearTimeout(bound)
  const path = /^command: (\/.+)$/m.exec(child.output())?.[1]
  if (code !== 0 || path === undefined) throw new Error(`${name} could not be fetched: ${child.output()}`)
  return realpathSync(path)
}
