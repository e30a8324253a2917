// Where the files are that workers load. A deployment may delete the release that this primary was started from; then they are those of the release that is there now,
// found by the way through a link by which the command, or the app, was named.

import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { folderAsWritten, throughFolder } from './written-path.ts'

const NAME = '@switchyard/balancer'

// The folder may be gone, or be another one by the name, when it is asked for later.
const startedIn = process.cwd()
const writtenFolder = folderAsWritten(process.env.PWD, startedIn)

const ownFile = fileURLToPath(import.meta.url)
/** Of the package that this file is in: the folders of sources and of what is built are equally deep. */
const ownRoot = join(dirname(ownFile), '..', '..')
const built = ownFile.startsWith(join(ownRoot, 'dist')) ? 'dist' : 'src'

/** The files of one installation of the balancer. */
export class ReleaseFiles {
  private readonly root: string

  constructor(root: string) {
    this.root = root
  }

  /** The address of a module that the balancer depends on, as `--import` takes it. Throws when it is not there. */
  dependency(specifier: string): string {
    const path = createRequire(join(this.root, 'package.json')).resolve(specifier)
    // Node remembers what it has found, whatever has been deleted since.
    if (!existsSync(path)) throw new Error(`${path} is not there`)
    return pathToFileURL(path).href
  }

  /** The address of a module of the balancer itself; `name` without extension, such as `config/load`. */
  own(name: string): string {
    return pathToFileURL(join(this.root, built, `${name}${extname(ownFile)}`)).href
  }
}

/** The installation that this process runs, or, when it is gone, the one that has taken its place. `app`: the entry of an app that has the balancer as a dependency. Throws when there is none. */
export function releaseFiles(app: string): ReleaseFiles {
  const [, entry = ''] = process.argv
  const candidates = [() => ownRoot, () => rootOf(throughFolder(entry, writtenFolder, startedIn)), () => rootOf(entry), () => rootFor(app)]
  const root = candidates.reduce<string | undefined>((found, find) => found ?? installation(find()), undefined)
  if (root !== undefined) return new ReleaseFiles(root)
  throw new Error(
    `the files of the balancer are gone: ${ownRoot} was removed. Start the balancer again; in the folder of a link to the current release, it finds the new files by itself`,
  )
}

/** Of the installation whose command it is. */
function rootOf(command: string): string | undefined {
  try {
    return join(realpathSync(command), '..', '..')
  } catch {
    return undefined
  }
}

/** Of the installation that the app would find. Not by `require.resolve`, which remembers where a link once led. */
function rootFor(app: string): string | undefined {
  const folders: string[] = []
  for (let folder = dirname(app); folder !== dirname(folder); folder = dirname(folder)) folders.push(folder)
  return folders.map((folder) => join(folder, 'node_modules', NAME)).find((path) => existsSync(path))
}

/** The folder without its links, if it has the balancer's package in it. */
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
