// `balancer start` in its own process, observed through its log, its admin page and its sockets.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { atSuiteEnd } from '../../../../../test/suite.ts'
import { openDescriptors } from '../../../../../test/support/descriptors.ts'
import { patience } from '../../../../../test/support/patience.ts'
import { type LoggedChild, spawnLogged } from '../../../../../test/support/spawn.ts'
import { until } from '../../../../../test/support/until.ts'
import type { BalancerConfig, PoolConfig } from '../../../src/config/config.ts'
import type { BalancerStatus } from '../../../src/status.ts'

const BIN = fileURLToPath(new URL('../../../bin/balancer.js', import.meta.url))
const CONFIG = 'balancer.config.json'
/** On a slow machine workers need longer than the default. */
const START_MS = patience(10_000)
/** A status costs both processes some milliseconds, which workers that start could use. */
const STATUS_PAUSE_MS = 30
/** Long enough for apps that do not fail. Each reload waits for it, once for each worker. */
const SETTLE_MS = 50
const FIXTURES = fileURLToPath(new URL('../../fixtures', import.meta.url))

export function fixture(name: string): string {
  return join(FIXTURES, name)
}

/** Do connections move between workers? Not over the portable channel (SWITCHYARD_CHANNEL=portable). */
export const movesConnections = process.env.SWITCHYARD_CHANNEL !== 'portable'

export interface StartOptions {
  /**
   * Written to a JSON file. `app` may be the name of a fixture. `listen` defaults to 127.0.0.1:0; `undefined` leaves it to the app. Pools have a
   * short `reload.settleMs` unless they name one, and workers may need long to start.
   */
  readonly config?: BalancerConfig
  /** A config file to use instead. */
  readonly configFile?: string
  /** More arguments of `balancer start`. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Limit of descriptors for each process. */
  readonly descriptorLimit?: number
  /** A command, with arguments, that starts the balancer. */
  readonly under?: readonly string[]
  /** Listening descriptors to pass, as a service manager does. */
  readonly sockets?: readonly number[]
  /** Wait for the ready line. Default true. */
  readonly wait?: boolean
}

export interface LogLine {
  readonly level: number
  readonly msg: string
  readonly [field: string]: unknown
}

/** A folder that is removed at the end of the suite. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'balancer-e2e-'))
  atSuiteEnd(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export class RunningBalancer {
  readonly child: LoggedChild
  /** TMPDIR of the balancer, so that a test sees what it leaves there. Its config file is there too, unless another was named. */
  readonly temporary: string
  /** The pid of the latest new primary, when it serves. */
  newPrimaryPid: number | undefined
  private readonly parsed: LogLine[] = []
  private parsedLength = 0

  constructor(child: LoggedChild, temporary: string) {
    this.child = child
    this.temporary = temporary
  }

  /** Writes the config that the next reload reads. */
  configure(config: BalancerConfig): void {
    writeConfig(this.temporary, config)
  }

  /** The pid of the primary that serves. */
  get pid(): number {
    return this.newPrimaryPid ?? this.child.process.pid ?? 0
  }

  get lines(): LogLine[] {
    const text = this.child.stdout()
    // Waits read the log every few milliseconds, so each line is parsed once.
    for (let end = text.indexOf('\n', this.parsedLength); end >= 0; end = text.indexOf('\n', this.parsedLength)) {
      const line = text.slice(this.parsedLength, end)
      this.parsed.push(line.startsWith('{') ? (JSON.parse(line) as LogLine) : { level: 0, msg: line })
      this.parsedLength = end + 1
    }
    return [...this.parsed]
  }

  /** Resolves with the first log line that meets the condition. */
  async untilLine(condition: (line: LogLine) => boolean, what: string, timeoutMs = 10_000): Promise<LogLine> {
    let hasEnded = false
    void this.child.ended.then(() => {
      hasEnded = true
    })
    try {
      return await until(
        () => {
          const line = this.lines.find(condition)
          if (line === undefined && hasEnded) throw new Error('the balancer ended')
          return line
        },
        timeoutMs,
        what,
      )
    } catch (error) {
      throw new Error(`${what}: ${(error as Error).message}\n${this.child.output()}`)
    }
  }

  async untilReady(timeoutMs?: number): Promise<this> {
    await this.untilLine(({ msg }) => msg.startsWith('ready:'), 'ready', timeoutMs)
    return this
  }

  get addresses(): string[] {
    return this.lines.filter(({ msg }) => msg.startsWith('listening on ')).map((line) => line.address as string)
  }

  /** The port of the first TCP address. */
  get port(): number {
    return portOf(this.addresses[0] ?? '')
  }

  private get adminUrl(): string {
    const line = this.lines.find(({ msg }) => msg.startsWith('ready:'))
    return String(line?.metrics).replace(/\/metrics$/, '')
  }

  /** Such as `127.0.0.1:9400`. */
  get adminAddress(): string {
    return this.adminUrl.replace('http://', '')
  }

  /** The status of the admin page. Rejects when the counts of connections do not add up. */
  async status(): Promise<BalancerStatus> {
    const response = await fetch(`${this.adminUrl}/status`, { signal: AbortSignal.timeout(patience(10_000)) })
    const status = (await response.json()) as BalancerStatus
    const fault = accountFault(status)
    if (fault !== undefined) throw new Error(fault)
    return status
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.adminUrl}/metrics`, { signal: AbortSignal.timeout(patience(10_000)) })).text()
  }

  async untilStatus(condition: (status: BalancerStatus) => boolean, what: string, timeoutMs = 10_000): Promise<BalancerStatus> {
    let last: BalancerStatus | undefined
    try {
      return await until(
        async () => {
          last = await this.status()
          if (condition(last)) return last
          await setTimeout(STATUS_PAUSE_MS)
          return undefined
        },
        timeoutMs,
        what,
      )
    } catch (error) {
      throw new Error(`${(error as Error).message}: ${JSON.stringify(last)}`)
    }
  }

  /** Resolves when every worker of every pool is ready. */
  async untilAllReady(timeoutMs?: number): Promise<BalancerStatus> {
    const all = ({ pools }: BalancerStatus): boolean =>
      pools.every(({ ready, desired, workers }) => ready === desired && workers.length === desired)
    return this.untilStatus(all, 'every worker ready', timeoutMs)
  }

  get descriptors(): number {
    return openDescriptors(this.pid)
  }

  /** Resolves when the primary holds no more than `count` descriptors. */
  async untilDescriptors(count: number, timeoutMs = 10_000): Promise<void> {
    await until(() => this.descriptors <= count, timeoutMs, `at most ${count} descriptors`).catch((error) => {
      throw new Error(`${error.message}: ${this.descriptors}`)
    })
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(timeoutMs = 15_000): Promise<number | null> {
    this.child.process.kill('SIGTERM')
    return this.ended(timeoutMs)
  }

  /** Resolves with the exit code when the process has ended. */
  async ended(quietMs = 15_000): Promise<number | null> {
    const timeoutMs = patience(quietMs)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = globalThis.setTimeout(
        () => reject(new Error(`the balancer runs on after ${timeoutMs} ms:\n${this.child.output()}`)),
        timeoutMs,
      )
    })
    try {
      return (await Promise.race([this.child.ended, late])).code
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Warnings of the log, except the one about the portable channel. */
export function warningsOf({ lines }: Pick<RunningBalancer, 'lines'>): LogLine[] {
  return lines.filter(({ level, msg }) => level >= 40 && !msg.includes('portable channel'))
}

/** Describes the fault unless `accepted + given back = handed off + refused + answered + closed + waiting`. */
export function accountFault({ connections }: BalancerStatus): string | undefined {
  const { accepted, givenBack, handedOff, refused, answered, closed, waiting } = connections
  const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((all, count) => all + count, 0)
  const known = handedOff + sum(refused) + answered + closed + sum(waiting)
  return accepted + givenBack === known
    ? undefined
    : `${accepted} connections were accepted, ${givenBack} given back, and ${known} are accounted for: ${JSON.stringify(connections)}`
}

/** Starts a balancer and resolves when it is ready. It is stopped at the end of the suite at the latest. */
export async function startBalancer(options: StartOptions): Promise<RunningBalancer> {
  const { config, args = [], env = {}, descriptorLimit, under = [], sockets, wait = true } = options
  const folder = temporaryFolder()
  const file = options.configFile ?? join(folder, CONFIG)
  if (config !== undefined) writeConfig(folder, config)
  const all = [
    ...under,
    process.execPath,
    BIN,
    'start',
    '--config',
    file,
    '--admin',
    '127.0.0.1:0',
    '--no-pretty',
    '--log-level',
    'debug',
    ...args,
  ]
  const first = [
    ...(descriptorLimit === undefined ? [] : [`ulimit -n ${descriptorLimit}`]),
    ...(sockets === undefined ? [] : [`export LISTEN_PID=$$ LISTEN_FDS=${sockets.length}`]),
  ]
  const shell = first.length === 0 ? [] : ['sh', '-c', [...first, 'exec "$@"'].join(' && '), 'sh']
  const [command, ...commandArgs] = [...shell, ...all] as [string, ...string[]]
  const child = spawnLogged(command, commandArgs, {
    cwd: folder,
    env: { ...process.env, ...env, TMPDIR: folder, XDG_RUNTIME_DIR: '' },
    stdio: ['ignore', 'pipe', 'pipe', ...(sockets ?? [])],
  })
  const running = new RunningBalancer(child, folder)
  if (wait) await running.untilReady()
  return running
}

function writeConfig(folder: string, config: BalancerConfig): void {
  writeFileSync(join(folder, CONFIG), JSON.stringify(withFixtures({ listen: '127.0.0.1:0', startTimeoutMs: START_MS, ...config })))
}

function withFixtures({ app, pools, ...rest }: BalancerConfig): BalancerConfig {
  const whole = (name: string | undefined): string | undefined => (name === undefined || name.startsWith('/') ? name : fixture(name))
  const settling = (pool: PoolConfig): PoolConfig => ({ ...pool, app: whole(pool.app), reload: { settleMs: SETTLE_MS, ...pool.reload } })
  return {
    ...rest,
    app: whole(app),
    ...(pools && { pools: Object.fromEntries(Object.entries(pools).map(([name, pool]) => [name, settling(pool)])) }),
  }
}

export function portOf(address: string): number {
  return Number(/:(\d+)$/.exec(address)?.[1])
}
