// Removes folders that hold only sockets. A folder may belong to another user, who can put anything into it. So no function here follows a link,
// enters a subfolder or reads more than a bounded number of names.

import { type Dir, opendirSync, rmdirSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'

/** More than the sockets of any app. Further names are left alone. */
const MAX_NAMES = 256

/** Removes the files in the folder, and the folder itself if nothing is left. Subfolders stay. */
export function removeFlat(folder: string): void {
  for (const name of namesIn(folder)) quietly(() => unlinkSync(join(folder, name)))
  quietly(() => rmdirSync(folder))
}

/** The first names in a folder, in any order. None if it can't be read. */
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
    // The folder was removed meanwhile.
  } finally {
    dir.closeSync()
  }
  return names
}

/** Runs `body` and ignores its error: the file may be gone already, or may not be changed. */
export function quietly(body: () => void): void {
  try {
    body()
  } catch {
    // It stays as it is.
  }
}
