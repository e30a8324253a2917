// Compiles a TypeScript fixture once, so that each of its processes starts without a loader.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { atSuiteEnd } from '../suite.ts'

const compiled = new Map<string, string>()

/** Path of the compiled file, until the end of the running suite. `fixture` stands in `test/fixtures` of its package. */
export function compiledFixture(fixture: URL): string {
  const known = compiled.get(fixture.href)
  if (known !== undefined) return known
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-fixture-'))
  const outfile = join(folder, 'fixture.mjs')
  compiled.set(fixture.href, outfile)
  atSuiteEnd(() => {
    compiled.delete(fixture.href)
    rmSync(folder, { recursive: true, force: true })
  })
  buildSync({
    entryPoints: [fileURLToPath(fixture)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    logLevel: 'error',
    // The sources find the native module relative to themselves.
    define: { 'import.meta.url': JSON.stringify(new URL('../../src/fixture.mjs', fixture).href) },
  })
  return outfile
}
