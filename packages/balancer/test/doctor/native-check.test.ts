// The check of the native module on systems that are given as values, and its compilation by a builder that does nothing.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NativeMissing } from '@switchyard/handoff'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { buildNative } from '../../src/doctor/native-build.ts'
import { checkNative, type NativeSource } from '../../src/doctor/native-check.ts'

const test = suite('native check')

const system = (changes: Partial<NativeSource>): NativeSource => ({
  faultOf: () => undefined,
  reasonAgainst: () => undefined,
  platform: 'linux',
  arch: 'x64',
  isGlibc: true,
  ...changes,
})
const missing = () => new NativeMissing('there is no native module for this system (linux x64)')

test('a module that loads', () => {
  assert.equal(checkNative({}, system({})), { name: 'native module', state: 'ok', found: 'it loads' })
  assert.match(checkNative({ SWITCHYARD_CHANNEL: 'portable' }, system({})).found, /asks for the portable channel/)
})

test('no file: a warning with the package and the compiler', () => {
  const { state, found, advice } = checkNative({}, system({ faultOf: missing }))
  assert.is(state, 'warning')
  assert.match(found, /there is no native module for this system.*portable channel/)
  assert.match(advice ?? '', /--omit=optional.*'balancer doctor --build' compiles it/)
})

test('no file, which the environment demands: a fault', () => {
  const { state, found } = checkNative({ SWITCHYARD_CHANNEL: 'native' }, system({ faultOf: missing }))
  assert.is(state, 'fault')
  assert.match(found, /does not start/)
})

test('no compiler: what to install before', () => {
  const { advice } = checkNative({}, system({ faultOf: missing, reasonAgainst: () => 'there is no C++ compiler (g++): install g++' }))
  assert.match(advice ?? '', /make this possible first: There is no C\+\+ compiler.*install g\+\+\. Then run 'balancer doctor --build'/)
})

test('a system without a package', () => {
  const musl = checkNative({}, system({ faultOf: missing, isGlibc: false }))
  assert.match(musl.advice ?? '', /without glibc, such as Alpine.*--build/)
  const mac = checkNative({}, system({ faultOf: missing, platform: 'darwin', reasonAgainst: () => 'it is for Linux and this is darwin' }))
  assert.match(mac.advice ?? '', /No package has it for this system\. It is for Linux only, and nothing is wrong here\./)
})

test('a file that does not load is named', () => {
  const fault = new NativeMissing('/srv/handoff.node does not load: invalid ELF header', '/srv/handoff.node')
  const { state, found, advice } = checkNative({}, system({ faultOf: () => fault }))
  assert.is(state, 'fault')
  assert.match(found, /^\/srv\/handoff\.node does not load: invalid ELF header/)
  assert.match(advice ?? '', /^Remove \/srv\/handoff\.node and install again/)
})

test('a file of another version', () => {
  const faultOf = (): never => {
    throw new Error('built from other sources')
  }
  const { state, advice } = checkNative({}, system({ faultOf }))
  assert.is(state, 'fault')
  assert.match(advice ?? '', /in the same version/)
})

const folder = mkdtempSync(join(tmpdir(), 'build-'))
atSuiteEnd(() => rmSync(folder, { recursive: true }))
const target = join(folder, 'build', 'handoff.node')

test('a compilation says where the file is', async () => {
  const check = await buildNative({ target, reasonAgainst: () => undefined, build: () => undefined })
  assert.is(check.state, 'ok')
  assert.match(check.found, /compiled in 1 s and written to .*\/build\/handoff\.node$/)
})

test('a compilation says what is missing', async () => {
  const build = () => assert.unreachable('compiled') as never
  const check = await buildNative({ target, reasonAgainst: () => 'the headers of Node are not installed', build })
  assert.is(check.state, 'fault')
  assert.match(check.found, /can't be compiled: the headers of Node are not installed/)
  assert.match(check.advice ?? '', /libnode-dev/)
})

test('a failed compilation shows the first lines of the compiler', async () => {
  const output = Array.from({ length: 30 }, (_, line) => `error ${line}`).join('\n')
  const check = await buildNative({ target, reasonAgainst: () => undefined, build: () => output })
  assert.is(check.state, 'fault')
  assert.match(check.found, /^the compiler failed:\nerror 0\n[\s\S]*error 11\nand 18 more lines$/)
})

test('a folder that cannot be written to is found before the compiler runs', async () => {
  writeFileSync(join(folder, 'file'), '')
  const build = () => assert.unreachable('compiled') as never
  const check = await buildNative({ target: join(folder, 'file', 'handoff.node'), reasonAgainst: () => undefined, build })
  assert.is(check.state, 'fault')
  assert.match(check.found, /can't be written to .*file\/handoff\.node: E/)
  assert.match(check.advice ?? '', /a user that may write to .*file\.$/)
})

test.run()
