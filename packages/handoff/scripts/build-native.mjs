// Builds the native module with the machine's compiler and Node's own headers. Without either it says so in one line and exits 0.

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const source = join(root, 'native', 'handoff.cc')
const target = join(root, 'build', 'handoff.node')

function without(what) {
  console.log(`native channel: not built, ${what}`)
  process.exit(0)
}

function headers() {
  const named = process.env.npm_config_nodedir ?? process.env.NODEDIR
  const places = [named && join(named, 'include', 'node'), join(dirname(process.execPath), '..', 'include', 'node'), '/usr/include/node']
  return places.find((place) => place && existsSync(join(place, 'node_api.h')) && existsSync(join(place, 'uv.h')))
}

if (process.platform !== 'linux') without(`it is for Linux and this is ${process.platform}`)
if (existsSync(target) && statSync(target).mtimeMs >= statSync(source).mtimeMs) process.exit(0)
const compiler = process.env.CXX ?? 'g++'
if (spawnSync(compiler, ['--version']).status !== 0) without(`there is no C++ compiler (${compiler})`)
const include = headers()
if (include === undefined) without('the headers of Node are not installed (set NODEDIR to where include/node is)')

mkdirSync(dirname(target), { recursive: true })
const fresh = `${target}.${process.pid}`
execFileSync(
  compiler,
  ['-std=c++20', '-O2', '-Wall', '-Wextra', '-fPIC', '-shared', '-fvisibility=hidden', `-I${include}`, source, '-o', fresh],
  { stdio: 'inherit' },
)
renameSync(fresh, target)
console.log('native channel: built')
