// What `balancer service install` prints in the end: where the unit is, what runs, and how to go on.

import { basename } from 'node:path'
import type { ServiceHost } from './service-host.ts'
import { lingers } from './systemd.ts'
import type { UnitPlan } from './unit-plan.ts'

export interface Installation {
  readonly plan: UnitPlan
  /** Texts by path. */
  readonly files: ReadonlyMap<string, string>
  /** It ran before, with an earlier unit. */
  readonly wasActive: boolean
  readonly isEnabled: boolean
}

/** Lines for people. */
export async function installReport({ plan, files, wasActive, isEnabled }: Installation, host: ServiceHost): Promise<string[]> {
  const { name, isUser, account, folder } = plan
  const systemctl = isUser ? 'systemctl --user' : 'systemctl'
  const start = `${systemctl} enable --now ${[...files.keys()].map((path) => basename(path)).join(' ')}`
  const state = !isEnabled
    ? `not started. To start it, now and at each boot: ${start}`
    : wasActive
      ? `runs with the unit from before. For the new one: ${systemctl} stop ${name}; ${systemctl} start ${name}`
      : `runs, and starts with ${isUser ? 'your session' : 'the machine'}`
  const rows: [string, string][] = [
    ...[...files.keys()].map((path): [string, string] => ['unit', path]),
    ['runs', `${folder}${account === undefined ? '' : ` as ${account.name}`}`],
    ['state', state],
    ['new code', `balancer reload, or ${systemctl} reload ${name}`],
    ['output', `journalctl ${isUser ? '--user ' : ''}-u ${name} -f`],
  ]
  const lines = [`The service ${name} is installed.`, ...rows.map(([title, text]) => `  ${title.padEnd(10)}${text}`)]
  return isUser && !(await lingers(host))
    ? [...lines, '  It ends when you log out. To keep it, from boot on: loginctl enable-linger']
    : lines
}
