// `balancer doctor` as a process, on set-ups that are broken for real. Others, such as a full file system, are in test/doctor.

import { chownSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { spawnLogged } from '../../../../test/support/spawn.ts'
import type { BalancerConfig } from '../../src/config/config.ts'
import type { Check } from '../../src/doctor/check.ts'
import { errorCodes } from '../../src/errors.ts'
import { copyPackages } from './support/copied-package.ts'
import { fixture, startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('doctor', { timeoutMs: 30_000 })
const BIN = fileURLToPath(new URL('../../bin/balancer.js', import.meta.url))
const BUILT = fileURLToPath(new URL('../../../handoff/build/handoff.node', import.meta.url))
const FAULT = errorCodes.ERR_SETUP.exitCode

interface DoctorOptions {
  readonly config?: BalancerConfig | object | undefined
  readonly folder?: string | undefined
  readonly args?: readonly string[] | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly bin?: string | undefined
  /** A shell command before it, such as `ulimit`. */
  readonly before?: string | undefined
  readonly execArgv?: readonly string[] | undefined
}

interface Report {
  readonly code: number | null
  readonly of: (name: string) => Check
}

async function run(options: DoctorOptions, more: readonly string[] = []) {
  const { folder = temporaryFolder(), config = { app: fixture('greeter-app.mjs'), listen: '127.0.0.1:0', admin: false } } = options
  writeFileSync(join(folder, 'balancer.config.json'), JSON.stringify(config))
  const command = [process.execPath, ...(options.execArgv ?? []), options.bin ?? BIN, 'doctor', ...(options.args ?? []), ...more]
  const child = spawnLogged('sh', ['-c', `${options.before ?? 'true'}; exec "$@"`, 'sh', ...command], {
    cwd: folder,
    env: { ...process.env, SWITCHYARD_CHANNEL: '', TMPDIR: folder, XDG_RUNTIME_DIR: '', ...options.env },
  })
  const { code } = await child.ended
  return { code, out: child.stdout(), err: child.stderr() }
}

async function doctor(options: DoctorOptions): Promise<Report> {
  const { code, out, err } = await run(options, ['--json'])
  assert.ok(out.startsWith('{'), `${out}\n${err}`)
  const { checks } = JSON.parse(out) as { checks: Check[] }
  const of = (name: string): Check =>
    checks.find((check) => check.name === name) ?? (assert.unreachable(`no check ${name} in ${out}`) as never)
  return { code, of }
}

/** Asserts state, finding and advice of one check. */
function named({ of }: Report, name: string, state: Check['state'], found: RegExp, advice?: RegExp): void {
  const check = of(name)
  assert.is(check.state, state, check.found)
  assert.match(check.found, found)
  if (advice !== undefined) assert.match(check.advice ?? '', advice)
}

test('a sound set-up has no fault, as text and as JSON', async () => {
  const { code, out } = await run({})
  // The machine of the test may have an old Node or few descriptors.
  assert.ok(code === 0 || /^FAULT /m.test(out), out)
  assert.match(out, /^balancer \d+\.\d+\.\d+ on Node /)
  assert.match(out, /^ok {7}config {12}\S+balancer\.config\.json has no faults$/m)
  assert.match(out, /(No faults|fault)/)
  named(await doctor({}), 'config', 'ok', /has no faults/)
})

test('no native file, and what compiling says', async () => {
  const { bin, nativeFile } = copyPackages()
  named(await doctor({ bin }), 'native module', 'warning', /^there is no native module for this system/, /balancer doctor --build/)
  const demanded = await doctor({ bin, env: { SWITCHYARD_CHANNEL: 'native' } })
  assert.is(demanded.code, FAULT)
  named(demanded, 'native module', 'fault', /SWITCHYARD_CHANNEL=native/)

  const without = await doctor({ bin, args: ['--build'], env: { CXX: '/nowhere/g++' } })
  assert.is(without.code, FAULT)
  named(without, 'build', 'fault', /there is no C\+\+ compiler/, /apt install g\+\+/)

  // A compiler that takes no time: it writes what the real one has written already.
  const compiler = join(temporaryFolder(), 'compiler')
  writeFileSync(compiler, `#!/bin/sh\nwhile [ $# -gt 0 ]; do [ "$1" = -o ] && cp '${BUILT}' "$2"; shift; done\n`, { mode: 0o755 })
  const built = await doctor({ bin, args: ['--build'], env: { CXX: compiler } })
  if (built.of('build').found.includes('headers of Node')) return console.log('no headers of Node here: the compilation was not tested')
  named(built, 'build', 'ok', /was compiled in \d+ s and written to .*build\/handoff\.node$/)
  named(built, 'native module', 'ok', /it loads/)
  assert.ok(existsSync(nativeFile))
})

test('a corrupt native file is named', async () => {
  const { bin, nativeFile } = copyPackages()
  mkdirSync(dirname(nativeFile), { recursive: true })
  copyFileSync(fileURLToPath(import.meta.url), nativeFile)
  const report = await doctor({ bin })
  assert.is(report.code, FAULT)
  named(report, 'native module', 'fault', /handoff\.node does not load: /, /^Remove .*handoff\.node and install again/)
})

test('a missing temporary folder', async () => {
  named(await doctor({ env: { TMPDIR: '/nowhere/tmp' } }), 'temporary folder', 'warning', /^\/nowhere\/tmp: it does not exist/, /^Create /)
})

test('a limit of 256 descriptors', async () => {
  const report = await doctor({ before: 'ulimit -n 256' })
  assert.is(report.code, FAULT)
  named(report, 'descriptors', 'fault', /^each process may open 256,/, /ulimit -n 65536/)
})

test('a port that another process holds', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const report = await doctor({ config: { app: fixture('greeter-app.mjs'), listen: `127.0.0.1:${port}`, admin: false } })
  server.close()
  assert.is(report.code, FAULT)
  named(report, 'addresses', 'fault', new RegExp(`:${port} is in use by '.*' \\(pid ${process.pid}\\)$`), /^Stop that process/)
})

test('no Redis', async () => {
  const url = `redis://me:opensesame@127.0.0.1:${await freePort()}`
  const report = await doctor({ env: { SWITCHYARD_REDIS_URL: url } })
  assert.is(report.code, FAULT)
  named(report, 'redis', 'fault', /^redis:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/, /^Start Redis/)
})

test('every fault of a config', async () => {
  const config = { app: fixture('greeter-app.mjs'), listen: 'x:y:z', pools: { web: { workers: 0 } } }
  const report = await doctor({ config })
  assert.is(report.code, FAULT)
  named(report, 'config', 'fault', /has 2 faults:[\s\S]*pools\.web\.workers: [\s\S]*listen: /, /balancer check/)
  named(report, 'addresses', 'warning', /not checked/)
})

test('an old Node is examined, and refused by every other command', async () => {
  const old = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.19.1' } })`
  const execArgv = ['--import', `data:text/javascript,${encodeURIComponent(old)}`]
  const report = await doctor({ execArgv })
  assert.is(report.code, FAULT)
  named(report, 'node', 'fault', /^Node 20\.19\.1 is too old: the balancer needs 20\.19\.2/, /^Install Node 24 or 22/)

  const start = spawnLogged(process.execPath, [...execArgv, BIN, 'start', fixture('greeter-app.mjs')], { cwd: temporaryFolder() })
  assert.is((await start.ended).code, errorCodes.ERR_NODE_VERSION.exitCode)
  assert.match(start.stderr(), /^balancer: this is Node 20\.19\.1, and the balancer needs Node 20\.19\.2 or newer\. Install Node 24 or 22/)
})

test('a control socket of another user', async () => {
  const folder = temporaryFolder()
  const other = join(folder, 'control')
  mkdirSync(other, { mode: 0o700 })
  // Only root can give a folder away. Another user finds that of root, which every system has.
  const isRoot = process.getuid?.() === 0
  if (isRoot) chownSync(other, 65_534, 65_534)
  const control = isRoot ? join(other, 'x.sock') : '/usr/x.sock'
  const report = await doctor({ folder, config: { app: fixture('greeter-app.mjs'), listen: '127.0.0.1:0', admin: false, control } })
  assert.is(report.code, FAULT)
  named(report, 'control socket', 'fault', /belongs to another user/, /as the user that owns/)
})

test('a balancer that runs holds its port and its control socket', async () => {
  const port = await freePort()
  const config = { app: 'greeter-app.mjs', listen: `127.0.0.1:${port}` }
  const balancer = await startBalancer({ config })
  const report = await doctor({ folder: balancer.temporary, config: { ...config, app: fixture('greeter-app.mjs'), admin: false } })
  named(report, 'addresses', 'ok', new RegExp(`:${port} is held by balancer '.*' \\(pid ${balancer.pid}\\), which runs`))
  named(report, 'control socket', 'ok', /^balancer '.*' \(pid \d+\) answers on /)
  assert.is(await balancer.stop(), 0)
})

test.run()
