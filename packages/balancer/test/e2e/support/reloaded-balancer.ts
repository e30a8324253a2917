// A balancer that is reloaded again and again, each time with the next release in its config and its environment file.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { patience } from '../../../../../test/support/patience.ts'
import { ControlClient } from '../../../src/control/control-client.ts'
import { startCommand } from './commands.ts'
import type { Answer } from './raw-client.ts'
import { fixture, type RunningBalancer, startBalancer, temporaryFolder } from './running-balancer.ts'
import { killNewPrimariesAtEnd, stopServing, untilGone, upgrade } from './upgradable-balancer.ts'

/** One reload in this many runs the command and checks its exit code. The others use the control socket. */
const BY_COMMAND_EVERY = 4

export interface ReloadedOptions {
  readonly workers: number
  readonly maxSurge: number
  /** How long each new worker settles. Left out: the default. */
  readonly settleMs?: number | undefined
  /** What installs a release: a reload, or an upgrade of the primary. Left out: a reload. */
  readonly how?: 'reload' | 'upgrade' | undefined
  readonly env?: Readonly<Record<string, string>>
}

/** Serves reload-app.mjs. */
export class ReloadedBalancer {
  readonly balancer: RunningBalancer
  /** The latest release whose reload has begun, and the latest that all workers run. */
  begun = 0
  done = 0
  private readonly folder: string
  private readonly options: ReloadedOptions
  private readonly control: string

  private constructor(balancer: RunningBalancer, folder: string, options: ReloadedOptions) {
    this.balancer = balancer
    this.folder = folder
    this.options = options
    this.control = String(balancer.lines.find(({ msg }) => msg.startsWith('ready:'))?.control)
  }

  static async start(options: ReloadedOptions): Promise<ReloadedBalancer> {
    const folder = temporaryFolder()
    writeRelease(folder, 0, options)
    const balancer = await startBalancer({
      configFile: configIn(folder),
      args: ['--environment', join(folder, 'env'), '--log-level', 'info'],
      env: options.env ?? {},
    })
    await balancer.untilAllReady(20_000)
    killNewPrimariesAtEnd(balancer)
    return new ReloadedBalancer(balancer, folder, options)
  }

  get port(): number {
    return this.balancer.port
  }

  /** Runs one reload or upgrade. Rejects unless it succeeds. */
  async reload(): Promise<void> {
    const release = this.begun + 1
    writeRelease(this.folder, release, this.options)
    this.begun = release
    if (this.options.how === 'upgrade') await this.upgrade()
    else if (release % BY_COMMAND_EVERY === 1) await this.reloadByCommand()
    else await this.reloadBySocket()
    this.done = release
  }

  /** Describes a wrong release in an answer. `doneBefore`: `done` when its request was sent. */
  releaseFault({ headers }: Pick<Answer, 'headers'>, doneBefore: number): string | undefined {
    const [release, name] = (headers.get('x-release')?.[0] ?? '').split(' ')
    if (release !== name) return `release ${release} of the config with ${name} of the environment file`
    return this.numberFault(Number(release), doneBefore)
  }

  numberFault(release: number, doneBefore: number): string | undefined {
    return release >= doneBefore && release <= this.begun
      ? undefined
      : `an answer of release ${release}, not ${doneBefore} to ${this.begun}`
  }

  /** Stops the primary that serves. Resolves with the exit code of the first primary. */
  async stop(): Promise<number | null> {
    if (this.balancer.newPrimaryPid === undefined) return this.balancer.stop()
    await stopServing(this.balancer, ['--control', this.control])
    return this.balancer.ended()
  }

  /** Resolves when the old primary has exited, since the next upgrade needs that. */
  private async upgrade(): Promise<void> {
    const { pid } = this.balancer
    this.balancer.newPrimaryPid = await upgrade(this.balancer, ['--control', this.control])
    await untilGone(pid)
  }

  private async reloadByCommand(): Promise<void> {
    const command = startCommand(this.balancer, ['reload', '--control', this.control])
    const timer = setTimeout(() => command.process.kill('SIGKILL'), patience(60_000))
    const { code } = await command.ended
    clearTimeout(timer)
    if (code !== 0) throw new Error(`balancer reload ended with ${code}: ${command.output()}`)
  }

  private async reloadBySocket(): Promise<void> {
    for await (const line of new ControlClient(this.control).runOperation('reload', {})) {
      if ('result' in line) return
      if ('error' in line) throw new Error(`reload: ${line.error.message}`)
    }
    throw new Error('reload: the answer broke off')
  }
}

function configIn(folder: string): string {
  return join(folder, 'balancer.config.mjs')
}

function writeRelease(folder: string, release: number, { workers, maxSurge, settleMs }: ReloadedOptions): void {
  const pool = {
    workers,
    env: { RELEASE: `${release}` },
    reload: { maxSurge, settleMs },
    drainSpreadMs: 300,
    queue: { timeoutMs: 60_000 },
  }
  const ticket = { sticky: { by: 'ticket' } }
  const config = {
    app: fixture('reload-app.mjs'),
    listen: '127.0.0.1:0',
    startTimeoutMs: 120_000,
    pools: { web: pool, heavy: { ...pool, workers: 1 } },
    routes: [
      { path: '/socket.io/*', policy: ticket },
      { path: '/heavy/*', pool: 'heavy' },
      { path: '/ticket/*', policy: ticket },
      { path: '/key/*', policy: { sticky: { by: { query: 'key' } } } },
    ],
  }
  // The config is a module, so each reload must load it afresh.
  writeFileSync(configIn(folder), `export default ${JSON.stringify(config)}\n`)
  writeFileSync(join(folder, 'env'), `RELEASE_NAME=${release}\n`)
}
