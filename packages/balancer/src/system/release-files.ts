// Finds the balancer's files that workers load. A deployment may delete the release that this primary was started from. Then they are found in
// the current release, through the link in the path of the command or of the app.

import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { folderAsWritten, throughFolder } from './written-path.ts'

const NAME = '@switchyard/balancer'
/** The app of workers that are proxies for upstream servers. */
export const PROXY_APP = '@switchyard/worker-runtime/upstream-proxy'

// Read at the start: later the folder may be deleted or replaced.
const startedIn = process.cwd()
const writtenFolder = folderAsWritten(process.env.PWD, startedIn)

const ownFile = fileURLToPath(import.meta.url)
/** The folder of this package: `src` and `dist` are equally deep. */
const ownRoot = join(dirname(ownFile), '..', '..')
const built = ownFile.startsWith(join(ownRoot, 'dist')) ? 'dist' : 'src'

/** One installation of the balancer. */
export class ReleaseFiles {
  private readonly root: string

  constructor(root: string) {
    this.root = root
  }

  /** The URL of a dependency's module, for `--import`. Throws when the file does not exist. */
  dependency(specifier: string): string {
    const path = createRequire(join(this.root, 'package.json')).resolve(specifier)
    // Node caches the path of a file that may have been deleted since.
    if (!existsSync(path)) throw new Error(`${path} does not exist`)
    return pathToFileURL(path).href
  }

  /** The same for a module that may not be installed: undefined. */
  optional(specifier: string): string | undefined {
    return resolveFrom(join(this.root, 'package.json'), specifier)
  }

  /** The URL of a module of the balancer itself; `name` without extension, such as `config/load`. */
  own(name: string): string {
    return pathToFileURL(join(this.root, built, `${name}${extname(ownFile)}`)).href
  }
}

/** The URL of a module as `file` would import it; undefined: it is not installed. */
export function resolveFrom(file: string, specifier: string): string | undefined {
  try {
    return pathToFileURL(createRequire(file).resolve(specifier)).href
  } catch {
    return undefined
  }
}

/**
 * The installation that this process runs, or the one that has replaced it. `app`: entry file of an app that may have the balancer as a dependency. Throws when
 * there is none.
 */
export function releaseFiles(app: string): ReleaseFiles {
  const [, entry = ''] = process.argv
  const candidates = [() => ownRoot, () => rootOf(throughFolder(entry, writtenFolder, startedIn)), () => rootOf(entry), () => rootFor(app)]
  const root = candidates.reduce<string | undefined>((found, find) => found ?? installation(find()), undefined)
  if (root !== undefined) return new ReleaseFiles(root)
  throw new Error(
    `the files of the balancer are gone: ${ownRoot} was removed. Start the balancer again. Started through a link to the current release, it finds the new files by itself`,
  )
}

/** The installation of a command `bin/balancer.js`. */
function rootOf(command: string): string | undefined {
  try {
    return join(realpathSync(command), '..', '..')
  } catch {
    return undefined
  }
}

/** The installation that an app would import. `require.resolve` would return a cached path through an old link. */
function rootFor(app: string): string | undefined {
  const folders: string[] = []
  for (let folder = dirname(app); folder !== dirname(folder); folder = dirname(folder)) folders.push(folder)
  return folders.map((folder) => join(folder, 'node_modules', NAME)).find((path) => existsSync(path))
}

/** The real path of the folder, if it contains the balancer's package. */
function installation(root: string | undefined): string | undefined {
  if (root === undefined) return undefined
  try {
    const real = realpathSync(root)
    const { name } = JSON.parse(readFileSync(join(real, 'package.json'), 'utf8')) as { name?: unknown }
    return name === NAME ? real : undefined
  } catch {
    return undefined
  }
}
