// `balancer start --detach`: the balancer in the background, from the command that starts it to the one that stops it.

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { type LoggedChild, spawnLogged } from '../../../../test/support/spawn.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import type { BalancerConfig } from '../../src/config/config.ts'
import { exchange, get } from './support/raw-client.ts'
import { fixture, temporaryFolder } from './support/running-balancer.ts'

const test = suite('detach', { timeoutMs: 60_000 })
const BIN = fileURLToPath(new URL('../../bin/balancer.js', import.meta.url))
const LONG_MS = 600_000

interface Answer {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A folder with a config. The balancer that is started there ends with the suite at the latest. */
class Place {
  readonly folder = temporaryFolder()
  readonly env: NodeJS.ProcessEnv = { ...process.env, TMPDIR: this.folder, XDG_RUNTIME_DIR: '', XDG_STATE_HOME: this.folder }

  constructor(config: BalancerConfig) {
    this.configure(config)
    atSuiteEnd(async () => {
      for (const { pid } of processesIn(this.folder)) kill(pid)
      await until(() => processesIn(this.folder).length === 0, 10_000, 'the end of the processes')
    })
  }

  configure(config: BalancerConfig): void {
    const whole = { listen: '127.0.0.1:0', admin: '127.0.0.1:0', ...config, app: fixture(config.app as string) }
    writeFileSync(join(this.folder, 'balancer.config.json'), JSON.stringify(whole))
  }

  launch(args: readonly string[], under: readonly string[] = []): LoggedChild {
    const [command, ...rest] = [...under, process.execPath, BIN, ...args] as [string, ...string[]]
    return spawnLogged(command, rest, { cwd: this.folder, env: this.env })
  }

  async run(args: readonly string[]): Promise<Answer> {
    const child = this.launch(args)
    const { code } = await child.ended
    return { code, out: child.stdout(), err: child.stderr() }
  }

  /** Starts a balancer in the background; throws if that fails. */
  async start(...args: string[]): Promise<{ pid: number; port: number; log: string; out: string }> {
    const { code, out, err } = await this.run(['start', '--detach', ...args])
    assert.is(code, 0, err)
    const [, pid] = /\(pid (\d+)\)/.exec(out) ?? []
    const [, port] = /listens on +http:\/\/127\.0\.0\.1:(\d+)/.exec(out) ?? []
    const [, log = ''] = /log +(\S+)/.exec(out) ?? []
    return { pid: Number(pid), port: Number(port), log, out }
  }

  get processes() {
    return processesIn(this.folder)
  }
}

interface RunningProcess {
  readonly pid: number
  readonly session: number
  /** 0: none. */
  readonly terminal: number
}

/** Processes whose environment names the folder; zombies have none. */
function processesIn(folder: string): RunningProcess[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return []
    try {
      if (!readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(`TMPDIR=${folder}`)) return []
      const [, session, terminal] = /^\d+ \(.*\) \S \d+ \d+ (\d+) (-?\d+)/s.exec(readFileSync(`/proc/${name}/stat`, 'latin1')) ?? []
      return [{ pid: Number(name), session: Number(session), terminal: Number(terminal) }]
    } catch {
      // It has exited.
      return []
    }
  })
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has exited.
  }
}

const app = 'echo-app.mjs'
const pools = { web: { workers: 2 } }

test('it returns when the balancer is ready, which runs in a session of its own until balancer stop', async () => {
  const place = new Place({ app, pools })
  const { pid, port, log, out } = await place.start()
  assert.match(out, /^balancer-e2e-\w+ runs in the background \(pid \d+\)\n/)
  assert.match(out, /\n {2}metrics +http:\/\/127\.0\.0\.1:\d+\/metrics\n/)
  assert.match(out, /\n {2}to stop it +balancer stop\n$/)
  assert.is((await exchange(port, get('/'))).status, 200)
  assert.ok(place.processes.length >= 2)
  for (const one of place.processes) assert.equal([one.session, one.terminal], [pid, 0])
  assert.is(statSync(log).mode & 0o777, 0o600)
  await until(() => readFileSync(log, 'utf8').includes('"msg":"ready:'), 10_000, 'the line in the log')
  assert.not.match(readFileSync(`/proc/${pid}/environ`, 'utf8'), /XDG_RUNTIME_DIR=\//)
  assert.is((await place.run(['reload'])).code, 0)

  const second = await place.run(['start', '--detach'])
  assert.is(second.code, 11)
  assert.match(second.err, new RegExp(`Balancer 'balancer-e2e-\\w+' \\(pid ${pid}\\) runs already on http://127\\.0\\.0\\.1:${port}`))
  assert.match(second.err, /to stop it: 'balancer stop'/)

  const stopped = await place.run(['stop'])
  assert.is(stopped.code, 0, stopped.err)
  assert.match(stopped.out, new RegExp(`has stopped \\(pid ${pid}\\)`))
  assert.equal(place.processes, [])
  assert.is((await place.run(['stop'])).code, 8)
})

test('it outlives the terminal that it was started from', async () => {
  const place = new Place({ app, pools })
  const command = `'${process.execPath}' '${BIN}' start --detach --log-file here.log`
  // The terminal of `script` is closed when its command has ended.
  const terminal = spawnLogged('script', ['-qec', command, '/dev/null'], { cwd: place.folder, env: place.env })
  assert.is((await terminal.ended).code, 0, terminal.output())
  const [, port] = /http:\/\/127\.0\.0\.1:(\d+)/.exec(terminal.output()) ?? []
  assert.is((await exchange(Number(port), get('/'))).status, 200)
  assert.ok(place.processes.length >= 2)
  for (const { terminal } of place.processes) assert.is(terminal, 0)
  assert.match(readFileSync(join(place.folder, 'here.log'), 'utf8'), /listening on/)
  assert.is((await place.run(['stop'])).code, 0)
})

test('a start that fails ends with its message, the output of the app and its exit code, and leaves no process', async () => {
  const thrown = new Place({ app: 'throws-app.mjs', pools })
  const { code, out, err } = await thrown.run(['start', '--detach'])
  assert.equal([code, out], [4, ''])
  assert.match(err, /^web\/[01] \| .*Error: /m)
  assert.match(err, /^The whole log is in \S+\.log$/m)
  assert.match(err, /^balancer: no worker of pool 'web' came up .*\(ERR_APP_FAILED\)$/m)
  assert.is(err.match(/ERR_APP_FAILED/g)?.length, 1)
  await until(() => thrown.processes.length === 0, 10_000, 'no process')

  const other = createServer().listen(0, '127.0.0.1')
  await untilEvent(other, 'listening')
  const taken = new Place({ app, pools, listen: `127.0.0.1:${(other.address() as { port: number }).port}` })
  const inUse = await taken.run(['start', '--detach'])
  other.close()
  assert.is(inUse.code, 3)
  assert.match(inUse.err, /is in use.*\(ERR_ADDRESS_IN_USE\)/s)

  const faulty = new Place({ app, pools: { web: { workers: -1 } } })
  const fault = await faulty.run(['start', '--detach'])
  assert.is(fault.code, 2)
  assert.match(fault.err, /pools\.web\.workers: expected/)
  assert.equal([...taken.processes, ...faulty.processes], [])
})

test('a primary that is killed while it starts is reported', async () => {
  const place = new Place({ app: 'silent-app.mjs', pools, startTimeoutMs: LONG_MS })
  const child = place.launch(['start', '--detach'])
  const primary = await until(
    () => place.processes.find(({ pid, session }) => pid === session && pid !== child.process.pid && place.processes.length >= 4),
    20_000,
    'the workers',
  )
  kill(primary.pid)
  const { code } = await child.ended
  assert.is(code, 4)
  assert.match(child.stderr(), /The balancer was ended by SIGKILL before it was ready \(ERR_APP_FAILED\)/)
})

test('Ctrl-C while it starts ends what was started', async () => {
  const cancel = async (signal: 'SIGINT' | 'SIGTERM', exitCode: number): Promise<void> => {
    const place = new Place({ app: 'silent-app.mjs', pools, startTimeoutMs: LONG_MS })
    const child = place.launch(['start', '--detach'])
    // The command, the primary, and two workers.
    await until(() => place.processes.length >= 4, 20_000, 'the workers')
    child.process.kill(signal)
    assert.is((await child.ended).code, exitCode, child.output())
    assert.match(child.stderr(), new RegExp(`^${signal}: the start was cancelled$`, 'm'))
    await until(() => place.processes.length === 0, 10_000, 'no process')
  }
  await Promise.all([cancel('SIGINT', 130), cancel('SIGTERM', 143)])
})

test('of two at the same time one fails', async () => {
  const place = new Place({ app, pools })
  const answers = await Promise.all([place.run(['start', '--detach']), place.run(['start', '--detach'])])
  assert.equal(answers.map(({ code }) => code).sort(), [0, 11], answers.map(({ out, err }) => out + err).join('\n'))
  assert.is((await place.run(['stop'])).code, 0)
  assert.equal(place.processes, [])
})

test('an upgrade stays in the background, with the same log and control socket', async () => {
  const place = new Place({ app, pools })
  const { pid, port, log } = await place.start('--', '--detach')
  assert.is((await place.run(['upgrade'])).code, 0)
  await until(() => !place.processes.some((one) => one.pid === pid), 15_000, 'the end of the old primary')
  assert.is((await exchange(port, get('/'))).status, 200)
  const { code, out } = await place.run(['status', '--json'])
  assert.is(code, 0)
  const next = JSON.parse(out).pid as number
  assert.is.not(next, pid)
  const size = statSync(log).size
  assert.is((await place.run(['stop'])).code, 0)
  assert.ok(readFileSync(log, 'utf8').slice(size).includes('stopping'))
  assert.equal(place.processes, [])
})

test('--log-file alone keeps the balancer in the foreground and the terminal quiet', async () => {
  const place = new Place({ app, pools })
  const child = place.launch(['start', '--log-file', 'own.log'])
  const path = join(place.folder, 'own.log')
  await until(() => statSync(path, { throwIfNoEntry: false }) && readFileSync(path, 'utf8').includes('"msg":"ready:'), 20_000, 'ready')
  child.process.kill('SIGTERM')
  assert.is((await child.ended).code, 0)
  assert.is(child.output(), '')
  assert.match(readFileSync(path, 'utf8'), /web\/0 has stopped/)
})

test('under a service manager it is refused', async () => {
  const place = new Place({ app, pools })
  place.env.NOTIFY_SOCKET = '/run/nothing'
  const { code, err } = await place.run(['start', '--detach'])
  assert.is(code, 2)
  assert.match(err, /leave out --detach/)
})

test.run()
