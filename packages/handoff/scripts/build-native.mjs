// Builds the native module with the machine's compiler and the headers of Node. Prints the reason and exits 0 when one of them is missing.

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const sources = readdirSync(join(root, 'native')).map((name) => join(root, 'native', name))
const target = join(root, 'build', 'handoff.node')

function exitWithout(reason) {
  console.log(`native channel: not built, ${reason}`)
  process.exit(0)
}

function headers() {
  const nodeDir = process.env.npm_config_nodedir ?? process.env.NODEDIR
  const places = [
    nodeDir && join(nodeDir, 'include', 'node'),
    join(dirname(process.execPath), '..', 'include', 'node'),
    '/usr/include/node',
  ]
  return places.find((place) => place && existsSync(join(place, 'node_api.h')) && existsSync(join(place, 'uv.h')))
}

if (process.platform !== 'linux') exitWithout(`it is for Linux and this is ${process.platform}`)
if (existsSync(target) && sources.every((source) => statSync(source).mtimeMs <= statSync(target).mtimeMs)) process.exit(0)
const compiler = process.env.CXX ?? 'g++'
if (spawnSync(compiler, ['--version']).status !== 0) exitWithout(`there is no C++ compiler (${compiler})`)
const include = headers()
if (include === undefined) exitWithout('the headers of Node are not installed (set NODEDIR to where include/node is)')

mkdirSync(dirname(target), { recursive: true })
const fresh = `${target}.${process.pid}`
const flags = ['-std=c++20', '-O2', '-Wall', '-Wextra', '-fPIC', '-shared', '-fvisibility=hidden', `-I${include}`]
execFileSync(compiler, [...flags, ...sources.filter((source) => source.endsWith('.cc')), '-o', fresh], { stdio: 'inherit' })
renameSync(fresh, target)
console.log('native channel: built')
