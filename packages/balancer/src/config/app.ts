// Finds the file that a worker runs, the way `node some/path` would, and says so in full when there is none.

import { readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'

const extensions = ['.js', '.mjs', '.cjs', '.ts', '.mts'] as const

/**
 * Absolute path of an app's entry file, or undefined when there is none.
 * Tried in turn: the file itself, the file with `.js .mjs .cjs .ts .mts`, and for a folder its package.json's `main`, then `index`.
 */
export function findApp(app: string, folder: string): string | undefined {
  const path = resolve(folder, app)
  return findFile(path) ?? findInFolder(path)
}

function findFile(path: string): string | undefined {
  return ['', ...extensions].map((extension) => path + extension).find(isFile)
}

function findInFolder(folder: string): string | undefined {
  const main = mainOf(folder)
  const inMain = main === undefined ? undefined : (findFile(join(folder, main)) ?? findFile(join(folder, main, 'index')))
  return inMain ?? findFile(join(folder, 'index'))
}

function mainOf(folder: string): string | undefined {
  try {
    const main: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).main
    return typeof main === 'string' ? main : undefined
  } catch {
    return undefined
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}
