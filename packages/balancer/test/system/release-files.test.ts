// Finding the files that workers load after a deployment has deleted the release that the primary was started from.

import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { spawnLogged } from '../../../../test/support/spawn.ts'
import { releaseFiles } from '../../src/system/release-files.ts'

const test = suite('release files')
const SOURCE = fileURLToPath(new URL('../../src/system/release-files.ts', import.meta.url))
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'releases-')))
atSuiteEnd(() => rmSync(folder, { recursive: true }))

/** Prints the file's URL before and after its release is deleted and the link leads to the next one. */
const COMMAND = `#!/usr/bin/env node
import { rmSync, symlinkSync } from 'node:fs'
import { releaseFiles } from '../dist/system/release-files.js'
const [, , folder, app] = process.argv
const where = () => { try { return releaseFiles(app).own('config/load') } catch (error) { return error.message } }
const before = where()
rmSync(folder + '/r1', { recursive: true })
rmSync(folder + '/current')
symlinkSync('r2', folder + '/current')
console.log(JSON.stringify([before, where()]))
`

/** A release with the balancer as a dependency. */
function makeRelease(name: string): string {
  const release = join(folder, name)
  const balancer = join(release, 'node_modules', '@switchyard', 'balancer')
  mkdirSync(join(balancer, 'bin'), { recursive: true })
  buildSync({
    entryPoints: [SOURCE],
    outfile: join(balancer, 'dist/system/release-files.js'),
    bundle: true,
    platform: 'node',
    format: 'esm',
  })
  writeFileSync(join(balancer, 'dist', 'index.js'), '')
  writeFileSync(
    join(balancer, 'package.json'),
    '{ "name": "@switchyard/balancer", "type": "module", "exports": { ".": "./dist/index.js" } }',
  )
  writeFileSync(join(balancer, 'bin', 'balancer.js'), COMMAND)
  return release
}

async function relocated({ cwd, pwd, app }: { cwd: string; pwd: string; app: string }): Promise<[string, string]> {
  for (const name of ['r1', 'r2']) makeRelease(name)
  rmSync(join(folder, 'current'), { force: true })
  symlinkSync('r1', join(folder, 'current'))
  const child = spawnLogged(process.execPath, ['node_modules/@switchyard/balancer/bin/balancer.js', folder, app], {
    cwd,
    env: { ...process.env, PWD: pwd },
  })
  await child.ended
  return JSON.parse(child.stdout()) as [string, string]
}

const fileOf = (release: string) => `file://${folder}/${release}/node_modules/@switchyard/balancer/dist/config/load.js`
const current = join(folder, 'current')

test('the own files are used while they exist', () => {
  const files = releaseFiles('/nowhere/server.js')
  assert.match(files.own('config/load'), /packages\/balancer\/src\/config\/load\.ts$/)
  assert.match(files.dependency('@switchyard/worker-runtime/register'), /worker-runtime\/dist\/register\.js$/)
  assert.match(files.dependency('tsx'), /loader\.mjs$/)
})

test('then the files to which the link of the command leads', async () => {
  assert.equal(await relocated({ cwd: current, pwd: current, app: '/nowhere/server.js' }), [fileOf('r1'), fileOf('r2')])
})

test('then the files of the app’s dependency', async () => {
  assert.equal(await relocated({ cwd: join(folder, 'current'), pwd: '/', app: join(current, 'server.js') }), [fileOf('r1'), fileOf('r2')])
})

test('without any files the error says what to do', async () => {
  const [, after] = await relocated({ cwd: current, pwd: '/', app: '/nowhere/server.js' })
  assert.match(after, /the files of the balancer are gone: .*r1.* was removed\. Start the balancer again/)
})

test.run()
