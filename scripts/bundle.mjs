// Bundles each package into few files, so that a balancer and its workers start faster. In a worker, Node 20 reads every ES module through an
// object of its own kind, an EventEmitter like sockets and requests. After a hundred of them V8 has learnt so many kinds before the first
// request that it takes the slow path with all of them from then on.

import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'
import { root } from './workspace.mjs'

/** Files of the balancer that are found by their path. */
const BALANCER = ['./dist/cli/main.js', './dist/config/own-policies.js']

await Promise.all([
  ...['routing', 'handoff', 'sessions', 'worker-runtime'].map((name) => bundle(join(root, 'packages', name))),
  bundle(join(root, 'packages/balancer'), BALANCER),
])

/**
 * Each export and each of `more` becomes a file, and what several of them need a chunk that they share. Chunks are one folder deep, as sources
 * are, so that paths relative to a module stay right. The types come from the compiler.
 */
async function bundle(folder, more = []) {
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const { metafile } = await build({
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
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    sourcemap: true,
    sourcesContent: false,
    metafile: true,
    logLevel: 'warning',
  })
  const made = new Set(Object.keys(metafile.outputs).map((file) => resolve(folder, file)))
  for (const entry of readdirSync(join(folder, 'dist'), { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name)
    if (/\.js(\.map)?$/.test(entry.name) && !made.has(file)) rmSync(file)
  }
}

function sourceOf(file) {
  return file.replace('./dist', 'src').replace(/js$/, 'ts')
}
