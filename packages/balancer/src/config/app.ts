// Finds the file that a worker runs, the way `node some/path` would, and says so in full when there is none.

import { readdirSync, readFileSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { didYouMean } from './faults.ts'
import { pm2Advice } from './pm2-file.ts'

const extensions = ['.js', '.mjs', '.cjs', '.ts', '.mts'] as const
/** Files that hold data or text: no worker can run them, whatever Node is told to load. */
const dataExtensions = ['.json', '.yml', '.yaml', '.toml', '.html', '.css', '.md', '.txt']
/** Of a folder in which a name may be misspelt, no more are compared. */
const maxNames = 1000

/**
 * Absolute path of an app's entry file, or undefined when there is none.
 * Tried in turn: the file itself, the file with `.js .mjs .cjs .ts .mts`, and for a folder its package.json's `main`, then `index`.
 */
export function findApp(app: string, folder: string): string | undefined {
  const path = resolve(folder, app)
  return findFile(path) ?? findInFolder(path)
}

/** Why there is nothing to run at the path, in a sentence. */
export function whyNoApp(app: string, folder: string): string {
  const path = resolve(folder, app)
  if (!isFolder(path)) return `there is no app at ${path}${didYouMean(basename(path), appNamesIn(dirname(path)))}`
  const main = mainOf(path)
  const named = main === undefined ? "no 'main' in a package.json" : `no ${main}, which its package.json names as 'main',`
  return `there is no app at ${path}: this folder has ${named} and no index.js; name the file to run`
}

/** Why a worker can't run a file that is there; undefined: it may. */
export function whyNotRunnable(file: string): string | undefined {
  const isData = dataExtensions.includes(extname(file))
  return pm2Advice(file) ?? (isData ? `${file} is not a program: name a file such as server.js` : undefined)
}

function appNamesIn(folder: string): string[] {
  try {
    const names = readdirSync(folder).slice(0, maxNames)
    return names.filter((name) => (extensions as readonly string[]).includes(extname(name)))
  } catch {
    return []
  }
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
  return statsOf(path)?.isFile() ?? false
}

function isFolder(path: string): boolean {
  return statsOf(path)?.isDirectory() ?? false
}

/** Undefined: there is nothing, or this user may not see it. */
function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}
