// The packages of this checkout as an install has them: copies in a node_modules folder of their own, so that a test can damage them.

import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { atSuiteEnd } from '../../../../../test/suite.ts'

const PACKAGES = fileURLToPath(new URL('../../../../', import.meta.url))
const NAMES = ['routing', 'handoff', 'sessions', 'worker-runtime', 'balancer']
const PARTS = ['package.json', 'dist', 'bin', 'native']

export interface CopiedPackage {
  /** The command. */
  readonly bin: string
  /** Where a compiled native module belongs. There is none yet. */
  readonly nativeFile: string
}

/** Without a native module. Removed at the end of the suite. */
export function copyPackages(): CopiedPackage {
  const modules = join(mkdtempSync(join(tmpdir(), 'copied-')), 'node_modules')
  atSuiteEnd(() => rmSync(dirname(modules), { recursive: true }))
  for (const name of NAMES) {
    const from = join(PACKAGES, name)
    const to = join(modules, '@switchyard', name)
    mkdirSync(to, { recursive: true })
    for (const part of PARTS) if (existsSync(join(from, part))) cpSync(join(from, part), join(to, part), { recursive: true })
    for (const dependency of dependenciesIn(join(from, 'node_modules')))
      link(join(from, 'node_modules', dependency), join(modules, dependency))
  }
  const own = (path: string) => join(modules, '@switchyard', path)
  return { bin: own('balancer/bin/balancer.js'), nativeFile: own('handoff/build/handoff.node') }
}

function dependenciesIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder).filter((name) => !/^[.@]/.test(name))
}

function link(target: string, path: string): void {
  if (!existsSync(path)) symlinkSync(realpathSync(target), path)
}
