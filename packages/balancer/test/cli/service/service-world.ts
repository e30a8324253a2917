// A machine with a fake systemd, and plans of services.

import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { assert } from '../../../../../test/suite.ts'
import { type InstallOptions, installService } from '../../../src/cli/commands/service-install.ts'
import type { CommandResult, ServiceHost } from '../../../src/cli/service/service-host.ts'
import { type PlanOptions, planUnits, type UnitPlan } from '../../../src/cli/service/unit-plan.ts'
import type { BalancerConfig } from '../../../src/config/config.ts'
import { resolveSettings } from '../../../src/config/resolve.ts'
import { BalancerError } from '../../../src/errors.ts'
import { fakeIo } from '../../support/fake-balancer.ts'
import { folderWith } from '../started-command.ts'

/** Answers of a command, by a pattern of its command line. The first match counts. */
export type Answers = readonly (readonly [pattern: RegExp, answer: Partial<CommandResult> | ((line: string) => Partial<CommandResult>)])[]

/** A machine whose units are in a temporary folder. By default every command succeeds and prints nothing. */
export class FakeHost implements ServiceHost {
  uid = 0
  sudoUser: string | undefined
  node = '/usr/bin/node'
  entry = '/srv/shop/node_modules/.bin/balancer'
  hasNative = true
  isBooted = true
  readonly folder = folderWith({})
  /** Each command that was run, with its arguments. */
  readonly lines: string[] = []
  answers: Answers = []

  hasSystemd(): boolean {
    return this.isBooted
  }

  unitFolder(isUser: boolean): string {
    const folder = join(this.folder, isUser ? 'user' : 'system')
    mkdirSync(folder, { recursive: true })
    return folder
  }

  async run(command: string, args: readonly string[]): Promise<CommandResult> {
    const line = [command, ...args].join(' ')
    this.lines.push(line)
    const answer = [...this.answers, ...defaults].find(([pattern]) => pattern.test(line))?.[1] ?? {}
    return { code: 0, stdout: '', stderr: '', ...(typeof answer === 'function' ? answer(line) : answer) }
  }

  /** The lines of `systemctl` that change something. */
  get changes(): string[] {
    return this.lines.filter((line) => /^systemctl (--user )?(enable|disable|start|stop|daemon-reload|reset-failed)/.test(line))
  }
}

const ACCOUNTS: Readonly<Record<string, string>> = {
  root: 'root:x:0:0::/root:/bin/sh\n',
  '0': 'root:x:0:0::/root:/bin/sh\n',
  app: 'app:x:998:998::/srv:/bin/sh\n',
  '998': 'app:x:998:998::/srv:/bin/sh\n',
}

const defaults: Answers = [
  [
    /^getent passwd /,
    (line) =>
      ACCOUNTS[basename(line.replaceAll(' ', '/'))] ? { stdout: ACCOUNTS[basename(line.replaceAll(' ', '/'))] as string } : { code: 2 },
  ],
  [/^systemctl .*show \S+ --property=LoadState,FragmentPath/, { stdout: 'LoadState=not-found\nFragmentPath=\n' }],
  [/^systemctl .*show \S+ --property=ActiveState/, { stdout: 'ActiveState=inactive\n' }],
  [/^loginctl /, { stdout: 'Linger=no\n' }],
]

/** A plan for /srv/app/current, which belongs to the user `app`. Its pool has four workers. */
export function planOf(config: BalancerConfig = {}, changes: Partial<PlanOptions> = {}): UnitPlan {
  const folder = folderWith({ 'server.js': '' })
  const settings = resolveSettings({ app: 'server.js', pools: { web: { workers: 4 } }, ...config }, { folder, env: {} })
  const pools = settings.pools.map((pool) => ({ ...pool, app: '/srv/app/current/server.js', cwd: '/srv/app/current' }))
  return planUnits({
    settings: { ...settings, name: 'switchyard', pools },
    isUser: false,
    withSockets: false,
    folder: '/srv/app/current',
    account: changes.isUser ? undefined : { name: 'app', uid: 998 },
    node: '/usr/bin/node',
    entry: '/srv/app/current/node_modules/@switchyard/balancer/bin/balancer.js',
    startArgs: [],
    findArgs: [],
    hasNative: true,
    ...changes,
  })
}

/** A folder with an app, and a machine on which its commands run. */
export class ServiceWorld {
  readonly host = new FakeHost()
  readonly folder: string
  readonly io

  constructor(
    files: Record<string, string> = { 'server.js': '', 'balancer.config.json': '{ "app": "server.js", "name": "shop", "listen": 80 }' },
  ) {
    this.folder = folderWith(files)
    this.io = fakeIo(this.folder)
  }

  install(options: InstallOptions = {}): Promise<number> {
    return installService({ runAs: options.user ? undefined : 'app', ...options }, this.io, this.host)
  }

  get out(): string {
    return this.io.stdout.text
  }

  /** The text of a unit of the machine. */
  unit(name: string): string {
    return readFileSync(join(this.host.unitFolder(false), name), 'utf8')
  }

  units(isUser = false): string[] {
    return readdirSync(this.host.unitFolder(isUser)).sort()
  }
}

/** The error that must come. */
export async function errorOf(promise: Promise<unknown>): Promise<BalancerError> {
  try {
    await promise
  } catch (error) {
    assert.ok(error instanceof BalancerError, String(error))
    return error as BalancerError
  }
  throw new Error('there was no error')
}
