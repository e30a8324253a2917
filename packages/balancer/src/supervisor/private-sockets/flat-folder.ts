// Folders that hold sockets and nothing else, and how they are removed. One may belong to another user, who can put into it what he likes: so nothing here follows a link, descends,
// or lists without end.

import { type Dir, opendirSync, rmdirSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'

/** More names than sockets of an app: the rest stays where it is. */
const MAX_NAMES = 256

/** Removes what is in the folder, and the folder if nothing is left. What is a folder itself stays. */
export function removeFlat(folder: string): void {
  for (const name of namesIn(folder)) quietly(() => unlinkSync(join(folder, name)))
  quietly(() => rmdirSync(folder))
}

/** The first names in a folder, in any order; none when it can't be read. */
export function namesIn(folder: string, most: number = MAX_NAMES): string[] {
  let dir: Dir
  try {
    dir = opendirSync(folder)
  } catch {
    return []
  }
  const names: string[] = []
  try {
    for (let entry = dir.readSync(); entry !== null && names.length < most; entry = dir.readSync()) names.push(entry.name)
  } catch {
    // It is gone meanwhile.
  } finally {
    dir.closeSync()
  }
  return names
}

/** For what may be gone already, or can't be done. */
export function quietly(body: () => void): void {
  try {
    body()
  } catch {
    // Then it stays as it is.
  }
}
