// The test files of the workspace, and what each must contain.

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { withoutComments } from './source-text.mjs'
import { root } from './workspace.mjs'

const PASSED_OVER = new Set(['node_modules', 'dist', 'build', 'fixtures'])

/** Files named `*.<kind>.ts` below a folder `<kind>`, as paths from the root, sorted. */
export function findTestFiles(kind, names = []) {
  const found = []
  const walk = (folder, inside) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.name.startsWith('.') || PASSED_OVER.has(entry.name)) continue
      const path = join(folder, entry.name)
      if (entry.isDirectory()) walk(path, inside || entry.name === kind)
      else if (inside && entry.name.endsWith(`.${kind}.ts`)) found.push(relative(root, path))
    }
  }
  for (const folder of ['packages', 'bench', 'test']) walk(join(root, folder), folder === kind)
  return found.filter((file) => names.length === 0 || names.some((name) => file.includes(name))).sort()
}

/** The fault of a test file's text, or undefined. */
export function faultOf(file) {
  const source = withoutComments(readFileSync(join(root, file), 'utf8'))
  if (/from\s+['"]uvu['"]/.test(source)) return 'imports suite from uvu: import it from test/suite.ts, which bounds every test'
  const suites = [...source.matchAll(/(?:const|let)\s+(\w+)\s*=\s*suite\s*\(/g)].map((match) => match[1])
  if (suites.length === 0) return 'has no `const … = suite(…)`'
  const idle = suites.find((name) => !source.includes(`${name}.run()`))
  return idle && `never calls ${idle}.run()`
}
