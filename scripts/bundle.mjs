// Bundles each package into few files, so that a balancer and its workers start faster. In a worker, Node 20 reads every ES module through an
// object of its own kind, an EventEmitter like sockets and requests. After a hundred of them V8 has learnt so many kinds before the first
// request that it takes the slow path with all of them from then on. Libraries that a package names in `devDependencies` become part of it,
// with their licences in `dist/licences.txt`; `dependencies` stay packages of their own.

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { build } from 'esbuild'
import { copyPage } from './page.mjs'
import { root } from './workspace.mjs'

/** Files of the balancer that are found by their path. */
const BALANCER = ['./dist/cli/main.js', './dist/config/own-policies.js']

/** Packages that libraries use where an app has installed them. */
const NEVER_THERE = ['bufferutil', 'utf-8-validate']

/** Parts of libraries that the balancer never calls, and that load much of Node: TLS, compression, threads. */
const UNUSED = /[\\/](prom-client[\\/]lib[\\/](pushgateway|cluster)|pino[\\/]lib[\\/]transport)\.js$/
const leaveOutUnused = {
  name: 'leave-out-unused',
  setup: ({ onLoad }) => onLoad({ filter: UNUSED }, () => ({ contents: '' })),
}

/** An import of `node:http` reads all of its exports. On newer Node some are getters that load a client of HTTP: 14 MB in every process. */
const requireHttp = {
  name: 'require-http',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:http$/ }, ({ kind }) =>
      kind === 'import-statement' ? { path: 'node:http', namespace: 'required' } : undefined,
    )
    onLoad({ filter: /./, namespace: 'required' }, ({ path }) => ({ contents: `module.exports = require('${path}')` }))
  },
}

await Promise.all([
  ...['routing', 'handoff', 'sessions', 'worker-runtime'].map((name) => bundle(join(root, 'packages', name))),
  bundle(join(root, 'packages/balancer'), BALANCER),
])
copyPage(join(root, 'packages/balancer'))

/**
 * Each export and each of `more` becomes a file, and what several of them need a chunk that they share. Chunks are one folder deep, as sources
 * are, so that paths relative to a module stay right. The types come from the compiler.
 */
async function bundle(folder, more = []) {
  const { exports, dependencies = {}, peerDependencies = {} } = readJson(join(folder, 'package.json'))
  const { metafile, outputFiles } = await build({
    write: false,
    absWorkingDir: folder,
    entryPoints: [...Object.values(exports), ...more]
      .map((target) => target.default ?? target)
      .filter((file) => file.startsWith('./dist/'))
      .map(sourceOf),
    outbase: 'src',
    outdir: 'dist',
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    external: [...Object.keys({ ...dependencies, ...peerDependencies }), ...NEVER_THERE],
    // Libraries in CommonJS require Node's modules by a function that ES modules do not have.
    banner: { js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url)" },
    plugins: [leaveOutUnused, requireHttp],
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    // Beside the file, and not named in it: Node 20 reads the map of every module that a worker loads.
    sourcemap: 'external',
    sourcesContent: false,
    metafile: true,
    logLevel: 'warning',
  })
  for (const { path, contents } of outputFiles) writeChanged(path, contents)
  const made = new Set(Object.keys(metafile.outputs).map((file) => resolve(folder, file)))
  for (const entry of readdirSync(join(folder, 'dist'), { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name)
    if (/\.js(\.map)?$/.test(entry.name) && !made.has(file) && !/[\\/]dist[\\/]page/.test(file)) rmSync(file, { force: true })
  }
  const licences = licencesOf(Object.keys(metafile.inputs).map((file) => resolve(folder, file)))
  if (licences !== '') writeFileSync(join(folder, 'dist/licences.txt'), licences)
}

/** A process that loads the file meanwhile gets all of the old one or all of the new one. */
function writeChanged(path, contents) {
  if (existsSync(path) && Buffer.compare(readFileSync(path), contents) === 0) return
  mkdirSync(dirname(path), { recursive: true })
  const half = `${path}.${process.pid}`
  writeFileSync(half, contents)
  renameSync(half, path)
}

/** The name, version and licence of every library that these files belong to. */
function licencesOf(files) {
  const folders = new Set(files.flatMap((file) => /^.*[\\/]node_modules[\\/](@[^\\/]+[\\/])?[^\\/]+(?=[\\/])/.exec(file)?.[0] ?? []))
  const texts = [...folders].map((library) => {
    const { name, version, license } = readJson(join(library, 'package.json'))
    const text = readdirSync(library).find((entry) => /^licen[cs]e/i.test(entry))
    return `${name} ${version} (${license})\n\n${text === undefined ? '' : readFileSync(join(library, text), 'utf8')}`
  })
  return texts.sort().join(`\n${'-'.repeat(72)}\n\n`)
}

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'))
}

function sourceOf(file) {
  return file.replace('./dist', 'src').replace(/js$/, 'ts')
}
