// Compiles the native module with the machine's compiler and the headers of Node: `node native/build.mjs`. Prints the reason and exits 0 when one
// of them is missing. `build` is for other programs.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { argv, env, execPath, exit, pid, platform } from 'node:process'
import { fileURLToPath } from 'node:url'

const folder = dirname(fileURLToPath(import.meta.url))
const sources = readdirSync(folder)
  .filter((name) => /\.(cc|h|map)$/.test(name))
  .map((name) => join(folder, name))
// Exceptions, run-time types and the C++ library are left out, see runtime.cc.
const FLAGS = ['-std=c++20', '-O2', '-Wall', '-Wextra', '-fPIC', '-shared', '-fvisibility=hidden', '-fno-exceptions', '-fno-rtti']
const LIBRARIES = ['-nodefaultlibs', '-lc', '-lgcc', `-Wl,--version-script=${join(folder, 'exports.map')}`]

/** A compilation takes seconds. */
const TIMEOUT_MS = 300_000

/** Where a module that this file has built belongs. */
export const target = resolve(folder, '..', 'build', 'handoff.node')

/** Why the module can't be compiled here; undefined if it can. */
export function reasonAgainst(compiler = compilerOf()) {
  if (platform !== 'linux') return `it is for Linux and this is ${platform}`
  if (spawnSync(compiler, ['--version']).status !== 0) return `there is no C++ compiler (${compiler}): install g++, or name one by CXX`
  if (headers() === undefined) return 'the headers of Node are not installed: set NODEDIR to the folder in which include/node is'
  return undefined
}

/**
 * Compiles the sources into `file`. Returns the compiler's output when that fails, undefined otherwise. `compiler`: g++, or a cross compiler.
 * Throws the system's error if the file can't be written.
 */
export function build({ file = target, compiler = compilerOf() } = {}) {
  mkdirSync(dirname(file), { recursive: true })
  const fresh = `${file}.${pid}`
  const units = sources.filter((source) => source.endsWith('.cc'))
  const { status, stderr, error } = spawnSync(compiler, [...FLAGS, `-I${headers()}`, ...units, ...LIBRARIES, '-o', fresh], {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
  })
  if (status !== 0) {
    rmSync(fresh, { force: true })
    return error?.message ?? stderr
  }
  renameSync(fresh, file)
  return undefined
}

function compilerOf() {
  return env.CXX ?? 'g++'
}

function headers() {
  const nodeDir = env.npm_config_nodedir ?? env.NODEDIR
  const places = [nodeDir && join(nodeDir, 'include', 'node'), join(dirname(execPath), '..', 'include', 'node'), '/usr/include/node']
  return places.find((place) => place && existsSync(join(place, 'node_api.h')) && existsSync(join(place, 'uv.h')))
}

function isFresh() {
  return existsSync(target) && sources.every((source) => statSync(source).mtimeMs <= statSync(target).mtimeMs)
}

if (argv[1] !== undefined && resolve(argv[1]) === fileURLToPath(import.meta.url) && !isFresh()) {
  const reason = reasonAgainst()
  if (reason !== undefined) {
    console.log(`native channel: not built, ${reason}`)
    exit(0)
  }
  const fault = build()
  if (fault !== undefined) {
    console.error(fault)
    exit(1)
  }
  console.log('native channel: built')
}
