// Which file of the native module is loaded, and what is said of one that does not load.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { load, NativeMissing } from '../../src/native-module.ts'

const test = suite('native module')
const folder = mkdtempSync(join(tmpdir(), 'module-'))
atSuiteEnd(() => rmSync(folder, { recursive: true, force: true }))
const corrupt = join(folder, 'handoff.node')
writeFileSync(corrupt, 'not a module')
const built = fileURLToPath(new URL('../../build/handoff.node', import.meta.url))

test('without a file the fault names the system', () => {
  const fault = load([])
  assert.instance(fault, NativeMissing)
  assert.match((fault as Error).message, process.platform === 'linux' ? /no native module for this system \(linux / : /is for Linux/)
  assert.is((fault as NativeMissing).file, undefined)
})

test('a file that does not load is named, with the reason of the loader', () => {
  const fault = load([corrupt])
  assert.instance(fault, NativeMissing)
  assert.is((fault as NativeMissing).file, corrupt)
  assert.match((fault as Error).message, /handoff\.node does not load: (invalid ELF header|file too short)/)
})

test('the next file is tried after one that does not load', () => {
  assert.type((load([corrupt, built]) as { openChannel?: unknown }).openChannel, 'function')
})

test.run()
