// The loader of config files: reads them, and every file of the user's that they import, anew each time. jiti alone leaves ES modules, `.cjs` and JSON to Node, which
// remembers them for as long as it runs; a reload would read the old ones.

import { createRequire } from 'node:module'
import { dirname, extname, isAbsolute, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { createJiti, Jiti, JitiOptions } from 'jiti'

const require = createRequire(import.meta.url)

/** What jiti's own entry builds upon: there the import of what it does not transform can be passed in. The version is pinned, and tests hold what is expected of it. */
const internals = join(dirname(require.resolve('jiti')), '..', 'dist')

type CreateJiti = (
  ...args: [
    ...Parameters<typeof createJiti>,
    { onError(error: unknown): never; nativeImport(id: string | URL): Promise<unknown>; createRequire: typeof createRequire },
  ]
) => Jiti

/** Where jiti writes what is too long to be imported otherwise, under a name of its own each time. */
const ownTemporaries = `${sep}jiti-esm${sep}`

/** Loads from the folder of `path`. `native`: files that are imported as they are, besides those of packages. */
export function freshJiti(path: string, native: readonly string[], options: JitiOptions): Jiti {
  forgetData()
  const create = require(join(internals, 'jiti.cjs')) as CreateJiti
  const transform: JitiOptions['transform'] = (given) => require(join(internals, 'babel.cjs'))(given)
  return create(
    path,
    { ...options, transform, moduleCache: false, fsCache: false },
    {
      onError(error) {
        throw error
      },
      // What is refused here jiti reads and transforms itself.
      nativeImport: (id) => (isRemembered(String(id), native) ? import(String(id)) : Promise.reject(new Error('to be read afresh'))),
      createRequire,
    },
  )
}

/** Node's own modules, packages, and what is native. */
function isRemembered(id: string, native: readonly string[]): boolean {
  const path = id.startsWith('file:') ? fileURLToPath(id) : id
  if (!isAbsolute(path)) return true
  return [`${sep}node_modules${sep}`, ownTemporaries].some((folder) => path.includes(folder)) || native.includes(path)
}

function forgetData(): void {
  for (const file of Object.keys(require.cache)) {
    if (extname(file) === '.json' && !file.includes(`${sep}node_modules${sep}`)) delete require.cache[file]
  }
}
