// The check of the folder of temporary files: real folders, and faults of a file system that are given as values.

import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { checkTemporary, type Trial } from '../../src/doctor/temporary-check.ts'

const test = suite('temporary check')
const folder = mkdtempSync(join(tmpdir(), 'tmp-'))
atSuiteEnd(() => rmSync(folder, { recursive: true }))
const check = (bases: readonly string[], tryBase?: (base: string) => Trial, isShared = false) =>
  checkTemporary({ bases, isShared, ...(tryBase && { tryBase }) })

test('a folder that takes sockets, and stays as it was', () => {
  assert.equal(check([folder]), { name: 'temporary folder', state: 'ok', found: `${folder} takes the workers' private sockets` })
  assert.equal(readdirSync(folder), [])
})

test('a missing folder: the next one serves', () => {
  const { state, found, advice } = check(['/nowhere/at/all', folder])
  assert.is(state, 'warning')
  assert.is(found, `/nowhere/at/all: it does not exist; the workers' private sockets are in ${folder} instead`)
  assert.match(advice ?? '', /^Create \/nowhere\/at\/all, or set TMPDIR/)
})

test('no usable folder is a fault', () => {
  const { state, found, advice } = check(['/nowhere/a', '/nowhere/b'])
  assert.is(state, 'fault')
  assert.match(found, /^there is no folder[\s\S]*\/nowhere\/a: it does not exist\n\/nowhere\/b: it does not exist$/)
  assert.match(advice ?? '', /^Create \/nowhere\/a/)
})

test('a full folder', () => {
  const full = check([folder], () => ({ file: 'it is full (ENOSPC)' }))
  assert.is(full.state, 'warning')
  assert.match(full.found, /takes the workers' private sockets, but no file: it is full/)
  assert.match(full.advice ?? '', /^Make room in /)
  const fuller = check([folder, tmpdir()], (base) => {
    if (base !== folder) return {}
    throw Object.assign(new Error('ENOSPC: no space left on device, mkdtemp'), { code: 'ENOSPC' })
  })
  assert.is(fuller.state, 'warning')
  assert.match(fuller.found, /: it is full \(ENOSPC\); the workers' private sockets are in /)
  assert.match(fuller.advice ?? '', /^Make room in /)
})

test('a read-only file system', () => {
  const { advice } = check([folder], () => {
    throw Object.assign(new Error('EROFS'), { code: 'EROFS' })
  })
  assert.match(advice ?? '', /tmpfs/)
})

test('a path that leaves no room for a socket', () => {
  const { found, advice } = check([`/tmp/${'x'.repeat(90)}`, folder])
  assert.match(found, /its path has 95 bytes/)
  assert.match(advice ?? '', /a shorter path/)
})

test('workers of other users', () => {
  chmodSync(folder, 0o700)
  const { state, advice } = check([folder], undefined, true)
  assert.is(state, 'fault')
  assert.match(advice ?? '', /may pass through/)
})

test.run()
