// `--watch`: which files are watched, and that a change leads to a reload.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
// Loaded here, because tsx on Node 22.23 does not find what a package imports that is first imported later.
import 'chokidar'
import { assert, atSuiteEnd, suite } from '../../../../../test/suite.ts'
import { until } from '../../../../../test/support/until.ts'
import { main } from '../../../src/cli/main.ts'
import { describeChange, ignores } from '../../../src/cli/running/file-watch.ts'
import { BalancerError } from '../../../src/errors.ts'
import { fakeIo } from '../../support/fake-balancer.ts'

const test = suite('file watch')

test('code is watched; node_modules, dist and names that begin with a dot are not', () => {
  const isIgnored = ignores(['/app', '/app/dist'], true)
  const found = [
    '/app/server.js',
    '/app/src/deep/er.ts',
    '/app/package.json',
    '/app/dist/server.mjs',
    '/app/dist/sub/x.cjs',
    '/app/notes.md',
    '/app/upload.png',
    '/app/node_modules/x/index.js',
    '/app/.git/HEAD.json',
    '/app/.env.js',
    '/app/src/dist/x.js',
    '/app/dist/node_modules/x.js',
    '/elsewhere/x.md',
  ].map((path) => isIgnored(path, true))
  assert.equal(found, [false, false, false, false, false, true, true, true, true, true, true, true, true])
  assert.equal(
    ['/app', '/app/src', '/app/dist', '/app/node_modules', '/app/.git', '/app/src/dist'].map((path) => isIgnored(path, false)),
    [false, false, false, true, true, true],
  )
})

test('of a path of the user every file is watched', () => {
  const isIgnored = ignores(['/app/templates', '/app/.env'], false)
  assert.equal(
    ['/app/templates/a.html', '/app/templates/.hidden', '/app/templates/node_modules/a', '/app/.env'].map((path) => isIgnored(path, true)),
    [false, true, true, false],
  )
})

test('the reason of the reload names the changed files', () => {
  assert.is(describeChange(['/app/src/a.js'], '/app'), 'src/a.js has changed')
  assert.is(describeChange(['/app/a.js', '/app/b.js'], '/app'), 'a.js and 1 other file have changed')
  assert.is(describeChange(['/other/a.js', '/app/b.js', '/app/c.js'], '/app'), '/other/a.js and 2 other files have changed')
})

function newFolder(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'watch-'))
  atSuiteEnd(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

async function watching(folder: string, args: string[]) {
  const io = fakeIo(folder)
  const exit = main(['start', '--admin', 'off', '--pretty', ...args], io)
  const balancer = await Promise.race([io.balancer, exit.then(() => Promise.reject(new Error(io.stderr.text)))])
  balancer.started.resolve()
  await until(() => io.stdout.text.includes('reloads when a file changes in '))
  const end = async (): Promise<void> => {
    balancer.stopped.resolve()
    io.signals.emit('SIGTERM', 'SIGTERM')
    assert.is(await exit, 0)
  }
  return { io, balancer, end }
}

test('changes within a moment lead to one reload; a failure is logged, and the next change reloads again', async () => {
  const folder = newFolder({ 'server.js': '', 'lib/a.js': '', 'node_modules/x/index.js': '', 'data.txt': '' })
  const { io, balancer, end } = await watching(folder, ['--watch', 'server.js'])
  const [{ reload, workers }] = balancer.settings.pools as [(typeof balancer.settings.pools)[0]]
  assert.equal([balancer.settings.limits.drainTimeoutMs, reload], [1_000, { maxSurge: workers, settleMs: 250 }], 'drains are short')
  writeFileSync(join(folder, 'node_modules/x/index.js'), '//')
  writeFileSync(join(folder, 'data.txt'), 'of the app')
  writeFileSync(join(folder, 'lib/a.js'), '// 1')
  writeFileSync(join(folder, 'lib/b.js'), '// new')
  balancer.outcomes.reload = () => Promise.reject(new BalancerError('ERR_BUSY', 'an upgrade is under way', { source: 'system' }))
  await until(() => io.stdout.text.includes('not reloaded: an upgrade is under way'))
  assert.match(io.stdout.text, /INFO: lib\/[ab]\.js and 1 other file have changed: reloading/)
  assert.is(balancer.reloads.length, 1)
  writeFileSync(join(folder, 'server.js'), '// 2')
  await until(() => balancer.reloads.length === 2)
  assert.match(io.stdout.text, 'server.js has changed: reloading')
  await end()
})

test('the config and the environment file are watched wherever they are', async () => {
  const [folder, elsewhere] = [
    newFolder({ 'server.js': '', 'conf/balancer.config.json': '{"app":"../server.js"}' }),
    newFolder({ '.env': 'A=1' }),
  ]
  const { balancer, end } = await watching(folder, ['--watch', '-c', 'conf/balancer.config.json', '--environment', join(elsewhere, '.env')])
  writeFileSync(join(elsewhere, '.env'), 'A=2')
  await until(() => balancer.reloads.length === 1)
  assert.is(balancer.reloads[0]?.pools[0]?.env.A, '2')
  writeFileSync(join(folder, 'conf/balancer.config.json'), '{"app":"../server.js","pools":{"web":{"workers":7}}}')
  await until(() => balancer.reloads.length === 2)
  assert.is(balancer.reloads[1]?.pools[0]?.workers, 7)
  await end()
})

test('paths of the user replace the default paths', async () => {
  const folder = newFolder({ 'server.js': '', 'templates/a.html': '' })
  const { io, balancer, end } = await watching(folder, ['server.js', '--watch-path', 'templates'])
  assert.match(io.stdout.text, 'reloads when a file changes in templates')
  writeFileSync(join(folder, 'server.js'), '//')
  writeFileSync(join(folder, 'templates/a.html'), '<p>')
  await until(() => balancer.reloads.length === 1)
  assert.match(io.stdout.text, 'templates/a.html has changed: reloading')
  await end()
})

test.run()
