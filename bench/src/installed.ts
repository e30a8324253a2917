// Which commands this machine has.

import { isInstalled } from '../../scripts/system.mjs'
import type { Contender } from './contenders.ts'

/** Those that can run here. `say` hears of each that can't, once. */
export function ableOf<T extends Contender>(contenders: readonly T[], say: (line: string) => void): readonly T[] {
  return contenders.filter(({ name, needs }) => {
    const able = needs === undefined || isInstalled(needs)
    if (!able) say(`${needs} is not installed: '${name}' is left out`)
    return able
  })
}
