// The commands that this machine has.

import { isInstalled } from '../../scripts/system.mjs'
import type { Contender } from './contenders.ts'

/** The contenders that can run here. `onMissing` gets a line for each that cannot, once. */
export function ableOf<T extends Contender>(contenders: readonly T[], onMissing: (line: string) => void): readonly T[] {
  return contenders.filter(({ name, needs }) => {
    const able = needs === undefined || isInstalled(needs)
    if (!able) onMissing(`${needs} is not installed: '${name}' is left out`)
    return able
  })
}
