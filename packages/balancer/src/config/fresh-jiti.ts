// The loader of config files. It reads the config and every file that it imports afresh each time. jiti alone leaves ES modules, `.cjs` and JSON to Node, whose
// module cache would give a reload the old files.

import { createRequire } from 'node:module'
import { dirname, extname, isAbsolute, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { createJiti, Jiti, JitiOptions } from 'jiti'

const require = createRequire(import.meta.url)

type CreateJiti = (
  ...args: [
    ...Parameters<typeof createJiti>,
    { onError(error: unknown): never; nativeImport(id: string | URL): Promise<unknown>; createRequire: typeof createRequire },
  ]
) => Jiti

/** The folder in which jiti writes modules that it can't import as a data URL. Each has a new name, so the cache does no harm. */
const TEMPORARIES = `${sep}jiti-esm${sep}`

/** A loader for the folder of `path`. Modules of packages and the files in `native` are imported by Node, and cached. */
export function freshJiti(path: string, native: readonly string[], options: JitiOptions): Jiti {
  clearJsonCache()
  // The files behind jiti's entry take the import of untransformed modules as an argument. Its version is pinned, and tests cover what is used of it.
  const internals = join(dirname(require.resolve('jiti')), '..', 'dist')
  const create = require(join(internals, 'jiti.cjs')) as CreateJiti
  const transform: JitiOptions['transform'] = (given) => require(join(internals, 'babel.cjs'))(given)
  return create(
    path,
    { ...options, transform, moduleCache: false, fsCache: false },
    {
      onError(error) {
        throw error
      },
      // jiti reads and transforms a module itself when this import rejects.
      nativeImport: (id) => (isCached(String(id), native) ? import(String(id)) : Promise.reject(new Error('read afresh instead'))),
      createRequire,
    },
  )
}

/** Whether Node imports the module: a builtin, a package's or one of `native`. */
function isCached(id: string, native: readonly string[]): boolean {
  const path = id.startsWith('file:') ? fileURLToPath(id) : id
  if (!isAbsolute(path)) return true
  return [`${sep}node_modules${sep}`, TEMPORARIES].some((folder) => path.includes(folder)) || native.includes(path)
}

function clearJsonCache(): void {
  for (const file of Object.keys(require.cache)) {
    if (extname(file) === '.json' && !file.includes(`${sep}node_modules${sep}`)) delete require.cache[file]
  }
}
