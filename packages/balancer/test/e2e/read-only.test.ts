// The balancer as in a container with a read-only root file system: as `nobody`, without a home, with one small writable folder.

import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { type LoggedChild, spawnLogged } from '../../../../test/support/spawn.ts'
import { until } from '../../../../test/support/until.ts'
import { exchange, get } from './support/raw-client.ts'
import { fixture, temporaryFolder } from './support/running-balancer.ts'

const test = suite('read-only', { timeoutMs: 60_000 })
const BIN = fileURLToPath(new URL('../../bin/balancer.js', import.meta.url))
const NOBODY = 65_534

const asNobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']
/** Root becomes another user, if that one can read this checkout. */
const isNobody =
  process.getuid?.() === 0 && spawnSync(asNobody[0] as string, [...asNobody.slice(1), process.execPath, BIN, '--version']).status === 0
/** Without root rights the mounts need a user namespace. */
const namespace = ['unshare', ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']), '--mount']
/** Everything is read-only except the folder `$1`. */
const MOUNTS = 'mount --bind "$1" "$1" && mount -o remount,bind,ro / && shift && exec "$@"'

class Container {
  readonly app = temporaryFolder()
  readonly temporary = temporaryFolder()

  constructor() {
    for (const folder of [this.app, this.temporary]) chmodSync(folder, 0o755)
    if (isNobody) chownSync(this.temporary, NOBODY, NOBODY)
    const config = {
      app: fixture('version-app.mjs'),
      listen: '127.0.0.1:0',
      admin: '127.0.0.1:0',
      pools: { web: { workers: 2, env: { VERSION: '1' } } },
    }
    writeFileSync(join(this.app, 'balancer.config.json'), JSON.stringify(config))
  }

  /** Starts a command of `balancer` in the folder of the app. */
  run(...args: string[]): LoggedChild {
    const command = [...(isNobody ? asNobody : []), process.execPath, BIN, ...args]
    const [first, ...rest] = [...namespace, 'sh', '-c', MOUNTS, 'sh', this.temporary, ...command] as [string, ...string[]]
    return spawnLogged(first, rest, { cwd: this.app, env: { PATH: process.env.PATH, TMPDIR: this.temporary } })
  }

  async exitCode(...args: string[]): Promise<number | null> {
    return (await this.run(...args).ended).code
  }
}

test('it starts, serves, reloads and stops, and leaves nothing', async () => {
  const container = new Container()
  const balancer = container.run('start', '--no-pretty')
  const [, port] = await balancer.untilOutput(/"msg":"listening on 127\.0\.0\.1:(\d+)"/, 20_000)
  await balancer.untilOutput(/"msg":"ready: /, 20_000)
  const body = async () => (await exchange(Number(port), get('/'))).body.toString()
  const first = await body()
  assert.match(first, /^web 1 [01] \d+$/)
  assert.is(await container.exitCode('status'), 0)
  const reload = container.run('reload')
  assert.is((await reload.ended).code, 0, reload.output())
  assert.is.not(await body(), first)
  assert.is(await container.exitCode('stop'), 0)
  assert.is((await balancer.ended).code, 0)
  const complaints = balancer
    .stdout()
    .split('\n')
    .filter((line) => /"level":[456]0/.test(line) && !line.includes('portable channel'))
  assert.equal(complaints, [])
  assert.is(balancer.stderr(), '')
  assert.equal(readdirSync(container.temporary), [])
})

test('a detached balancer says that it needs a log file, and takes one in the writable folder', async () => {
  const container = new Container()
  const refused = container.run('start', '--detach')
  assert.is((await refused.ended).code, 16, refused.output())
  assert.match(refused.stderr(), /Name another file with --log-file \(ERR_LOG_FILE\)/)
  const log = join(container.temporary, 'own.log')
  const started = container.run('start', '--detach', '--log-file', log)
  assert.is((await started.ended).code, 0, started.output())
  const [, pid] = /\(pid (\d+)\)/.exec(started.stdout()) ?? []
  atSuiteEnd(() => isAlive(Number(pid)) && process.kill(Number(pid), 'SIGKILL'))
  assert.is(await container.exitCode('stop'), 0)
  await until(() => !isAlive(Number(pid)), 10_000, 'the end of the process')
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test.run()
