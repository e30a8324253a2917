// npm run pack [-- options FOLDER]: writes a tarball of every package that a release publishes into the folder (dist/packages if left out).

import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build as buildNative, reasonAgainst } from '../packages/handoff/native/build.mjs'
import { ensureSystem } from './system.mjs'
import { build, root, run } from './workspace.mjs'

const USAGE = `npm run pack -- [options] [FOLDER]: writes the tarballs of all packages (default: dist/packages)

  --here    the native module for this machine only, so that no cross compiler is needed
  --help    this text
`
const PACKAGES = ['routing', 'handoff', 'sessions', 'worker-runtime', 'balancer']
/** Systems with a compiled module. Elsewhere connections go over the portable channel. */
const PLATFORMS = [
  { os: 'linux', cpu: 'x64', libc: 'glibc', compiler: 'x86_64-linux-gnu-g++' },
  { os: 'linux', cpu: 'arm64', libc: 'glibc', compiler: 'aarch64-linux-gnu-g++' },
]

const { values, positionals } = parseArgs({ options: { here: { type: 'boolean' }, help: { type: 'boolean' } }, allowPositionals: true })
if (values.help) {
  console.log(USAGE)
  process.exit()
}
const platforms = PLATFORMS.filter(({ cpu }) => !values.here || cpu === process.arch)
const target = resolve(root, positionals[0] ?? 'dist/packages')
const staging = mkdtempSync(join(tmpdir(), 'switchyard-pack-'))
try {
  process.exitCode = await pack()
} finally {
  rmSync(staging, { recursive: true, force: true })
}

/** Resolves with the exit code. */
async function pack() {
  if (!(await ensureSystem('build', ...(values.here ? [] : ['pack']))) || (await build()) !== 0) return 1
  const { version } = readJson(join(root, 'package.json'))
  const stale = PACKAGES.filter((name) => readJson(join(root, 'packages', name, 'package.json')).version !== version)
  if (stale.length > 0) {
    console.error(`the version is ${version}, but ${stale.join(', ')} has another one`)
    return 1
  }
  const folders = PACKAGES.map((name) => stagePackage(name, version))
  for (const platform of platforms) {
    const folder = stagePlatform(platform, version)
    if (folder === undefined) return 1
    folders.push(folder)
  }
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  for (const folder of folders) {
    const code = await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', target], { cwd: folder, stdio: 'ignore' })
    if (code !== 0) {
      console.error(`npm pack failed for ${folder}`)
      return code
    }
  }
  for (const file of readdirSync(target)) console.log(`${(statSync(join(target, file)).size / 1024).toFixed(0).padStart(5)} KiB  ${file}`)
  console.log(`${folders.length} packages of version ${version} in ${relative(root, target) || target}`)
  return 0
}

/** Copies what a package publishes, with exact versions of its siblings. Returns the folder. */
function stagePackage(name, version) {
  const from = join(root, 'packages', name)
  const folder = join(staging, name)
  const { devDependencies: _, ...manifest } = readJson(join(from, 'package.json'))
  for (const kept of manifest.files) cpSync(join(from, kept), join(folder, kept), { recursive: true })
  const dependencies = Object.entries(manifest.dependencies ?? {}).map(([other, range]) => [
    other,
    range === 'workspace:*' ? version : range,
  ])
  if (name === 'handoff') {
    manifest.optionalDependencies = Object.fromEntries(platforms.map((platform) => [nameOf(platform), version]))
  }
  makeTypesPortable(join(folder, 'dist'))
  const exports = Object.fromEntries(Object.entries(manifest.exports).map(([path, target]) => [path, forBothSystems(target)]))
  finish(folder, from, { ...manifest, exports, dependencies: Object.fromEntries(dependencies) })
  return folder
}

/** Compiles the native module for a system. Returns the folder of its package, or undefined after printing why there is none. */
function stagePlatform(platform, version) {
  const { os, cpu, libc, compiler } = platform
  const folder = join(staging, `handoff-${os}-${cpu}`)
  const fault = reasonAgainst(compiler) ?? buildNative({ file: join(folder, 'handoff.node'), compiler })
  if (fault !== undefined) {
    console.error(`the native module for ${os} ${cpu}: ${fault}`)
    return undefined
  }
  const handoff = join(root, 'packages/handoff')
  const { license, homepage, bugs, repository, engines, publishConfig } = readJson(join(handoff, 'package.json'))
  finish(folder, undefined, {
    name: nameOf(platform),
    version,
    description: `The native module of @switchyard/handoff for ${os} ${cpu} with glibc 2.27 or newer`,
    ...{ license, homepage, bugs, repository, engines },
    ...{ os: [os], cpu: [cpu], libc: [libc] },
    main: './handoff.node',
    files: ['handoff.node'],
    publishConfig,
  })
  writeFileSync(
    join(folder, 'README.md'),
    `# ${nameOf(platform)}\n\nInstalled by [Switchyard](${homepage}) where it fits. Nothing imports it by name.\n`,
  )
  return folder
}

function nameOf({ os, cpu }) {
  return `@switchyard/handoff-${os}-${cpu}-gnu`
}

/** Writes the manifest, and copies the texts that every package has. */
function finish(folder, from, manifest) {
  const all = { ...manifest, files: [...manifest.files, 'CHANGELOG.md'] }
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(all, undefined, 2)}\n`)
  for (const text of ['LICENSE', 'CHANGELOG.md']) cpSync(join(root, text), join(folder, text))
  const readme = from === undefined ? undefined : join(from, 'README.md')
  if (readme !== undefined && existsSync(readme)) cpSync(readme, join(folder, 'README.md'))
}

/**
 * Declarations name each other by `.js`, and stand a second time in `require/`, as declarations of CommonJS: TypeScript reads those for a file
 * that requires the package.
 */
function makeTypesPortable(dist) {
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name)
    if (entry.name.endsWith('.d.ts.map')) rmSync(file)
    if (!entry.name.endsWith('.d.ts')) continue
    const text = withoutSchemas(readFileSync(file, 'utf8'))
      .replace(/((?:from|import)\s*\(?\s*'\.[^']*)\.ts'/g, "$1.js'")
      .replace(/^\/\/# sourceMappingURL=.*\n?/m, '')
    writeFileSync(file, text)
    const copy = join(dist, 'require', relative(dist, file))
    mkdirSync(join(copy, '..'), { recursive: true })
    writeFileSync(copy, text)
  }
  writeFileSync(join(dist, 'require/package.json'), '{ "type": "commonjs" }\n')
}

/** Leaves out schemas and what uses their types: no caller needs them, and the types are of a library that is part of the bundle. */
function withoutSchemas(declarations) {
  const statements = declarations.split(/(?<!\*\/\n)^(?=\/\*\*|(?:export|declare|interface|type|import) )/m)
  const schemas = statements.filter((statement) => /^import .* from 'valibot'|\bv\.[A-Z]\w+|\bimport\("valibot"\)/.test(statement))
  for (const statement of schemas) {
    const [, type] = /^export (?:interface|type) (\w+)/m.exec(statement) ?? []
    if (type === undefined) continue
    schemas.push(...statements.filter((other) => !schemas.includes(other) && new RegExp(`\\b${type}<`).test(other)))
  }
  return statements.filter((statement) => !schemas.includes(statement)).join('')
}

/** An export with types: TypeScript takes other declarations where the package is required. */
function forBothSystems(target) {
  if (target.types === undefined) return target
  return { import: target, require: { types: target.types.replace('./dist', './dist/require'), default: target.default } }
}

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'))
}
