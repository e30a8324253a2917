// Puts the page of the dashboard where the primary finds it: its files as they are, and its libraries as ES modules beside them. No bundler
// and no content delivery network: a browser loads what is here.

import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The file of each library that becomes `vendor/<name>`. */
const LIBRARIES = [
  { library: 'preact', file: 'dist/preact.mjs', name: 'preact.js' },
  { library: 'preact', file: 'hooks/dist/hooks.mjs', name: 'preact-hooks.js' },
  { library: 'htm', file: 'dist/htm.module.js', name: 'htm.js' },
  { library: 'uplot', file: 'dist/uPlot.esm.js', name: 'uplot.js' },
  { library: 'uplot', file: 'dist/uPlot.min.css', name: 'uplot.css' },
]

/** Writes `dist/page` of the balancer's package anew. */
export function copyPage(folder) {
  const target = join(folder, 'dist/page')
  // Built aside and then renamed: a primary may read the page meanwhile, and two builds may run at once.
  const building = `${target}-${process.pid}`
  cpSync(join(folder, 'page'), building, { recursive: true })
  mkdirSync(join(building, 'vendor'), { recursive: true })
  for (const { library, file, name } of LIBRARIES)
    writeFileSync(join(building, 'vendor', name), forBrowsers(readFileSync(join(folder, 'node_modules', library, file), 'utf8')))
  writeFileSync(join(building, 'vendor/licences.txt'), licences(folder))
  replace(target, building)
}

/** A browser knows no names of packages, and the source maps are not there. */
function forBrowsers(text) {
  return text.replaceAll(/from ?"preact"/g, 'from"./preact.js"').replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n')
}

function licences(folder) {
  const names = [...new Set(LIBRARIES.map(({ library }) => library))]
  const texts = names.map((name) => {
    const home = join(folder, 'node_modules', name)
    const { version, license } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
    const file = readdirSync(home).find((entry) => /^licen[cs]e/i.test(entry))
    return `${name} ${version} (${license})\n\n${readFileSync(join(home, file), 'utf8')}`
  })
  return texts.join(`\n${'-'.repeat(72)}\n\n`)
}

function replace(target, building) {
  const old = `${building}-old`
  try {
    renameSync(target, old)
  } catch {
    // It is the first build, or another build replaces it at this moment.
  }
  try {
    renameSync(building, target)
  } catch {
    // Another build was faster, with the same files.
    rmSync(building, { recursive: true, force: true })
  }
  rmSync(old, { recursive: true, force: true })
}
