// Which config file a folder has.

import { existsSync } from 'node:fs'
import { join } from 'node:path'

const extensions = ['ts', 'mts', 'js', 'mjs', 'cjs', 'json'] as const

/** balancer.config.{ts,mts,js,mjs,cjs,json}: the first that is there. */
export function findConfig(folder: string): string | undefined {
  return extensions.map((extension) => join(folder, `balancer.config.${extension}`)).find((path) => existsSync(path))
}
