// The calls to systemd: verify, enable, start, stop and show units.

import { BalancerError } from '../../errors.ts'
import type { CommandResult, ServiceHost } from './service-host.ts'

const QUICK_MS = 30_000
const NO_COMMAND = 127
/** What systemctl prints if there is no systemd to talk to. The words between depend on its version. */
const UNREACHABLE = /^Failed to connect to .*bus/m

/** A verification: what keeps a unit from being used, and what systemd ignores in it. */
export interface Verification {
  readonly faults: readonly string[]
  readonly warnings: readonly string[]
}

export class Systemd {
  private readonly host: ServiceHost
  private readonly isUser: boolean
  private readonly scope: readonly string[]

  constructor(host: ServiceHost, isUser: boolean) {
    this.host = host
    this.isUser = isUser
    this.scope = isUser ? ['--user'] : []
  }

  /** Checks unit files with `systemd-analyze verify`. Units that they need are loaded too, and their faults are not counted. */
  async verify(files: readonly string[]): Promise<Verification> {
    const result = await this.host.run('systemd-analyze', [...this.scope, 'verify', '--man=no', ...files], QUICK_MS)
    if (result.code === NO_COMMAND) return { faults: [], warnings: [] }
    const names = files.map((file) => file.slice(file.lastIndexOf('/') + 1))
    const lines = `${result.stderr}\n${result.stdout}`
      .split('\n')
      .filter((line) => names.some((name) => line.includes(name)))
      .map((line) => files.reduce((text, file, index) => text.replaceAll(file, names[index] as string), line))
    return result.code === 0 ? { faults: [], warnings: lines } : { faults: lines, warnings: [] }
  }

  /** Throws ERR_SERVICE if systemd does not answer. */
  async mustAnswer(): Promise<void> {
    await this.control(['show', '--property=Version'])
  }

  /** Runs `systemctl`. Throws ERR_SERVICE with what it printed. */
  async control(args: readonly string[], timeoutMs = QUICK_MS): Promise<void> {
    const { code, stdout, stderr } = await this.systemctl(args, timeoutMs)
    if (code === 0) return
    const advice = this.isUser && UNREACHABLE.test(stderr) ? `\n  ${loginAdvice(this.host)}` : ''
    throw new BalancerError(
      'ERR_SERVICE',
      `${['systemctl', ...this.scope, ...args].join(' ')} has failed: ${(stderr || stdout).trim()}${advice}`,
      { source: 'system' },
    )
  }

  /** Runs `systemctl`; a failure does not matter. */
  async tryControl(args: readonly string[]): Promise<void> {
    await this.systemctl(args, QUICK_MS)
  }

  /** Properties of a unit, by name. Empty if systemd does not answer. */
  async show(unit: string, properties: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const { stdout } = await this.systemctl(['show', unit, `--property=${properties.join(',')}`], QUICK_MS)
    return new Map(
      stdout.split('\n').flatMap((line) => {
        const at = line.indexOf('=')
        return at === -1 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const]
      }),
    )
  }

  async isActive(unit: string): Promise<boolean> {
    const state = (await this.show(unit, ['ActiveState'])).get('ActiveState')
    return state === 'active' || state === 'activating' || state === 'reloading'
  }

  /** State and last lines of a unit, for the message of a failure. */
  async describe(unit: string): Promise<string> {
    const { stdout, stderr } = await this.systemctl(['status', '--no-pager', '--full', '--lines=15', unit], QUICK_MS)
    return (stdout || stderr).trim()
  }

  private systemctl(args: readonly string[], timeoutMs: number): Promise<CommandResult> {
    return this.host.run('systemctl', [...this.scope, ...args], timeoutMs)
  }
}

/** What to do if the user's own systemd does not answer. */
export function loginAdvice({ uid, sudoUser }: Pick<ServiceHost, 'uid' | 'sudoUser'>): string {
  if (uid === 0 && sudoUser !== undefined) return 'With sudo, --user means the systemd of root. Leave out sudo, or --user.'
  return `Your own systemd runs while you are logged in; su and sudo are no login. Log in as this user, over ssh for example. Or run 'sudo loginctl enable-linger ${uid}', then 'export XDG_RUNTIME_DIR=/run/user/${uid}', and the command again.`
}

/** Does the user's systemd run without a login, from boot on? */
export async function lingers(host: ServiceHost): Promise<boolean> {
  const { code, stdout } = await host.run('loginctl', ['show-user', String(host.uid), '--property=Linger'], QUICK_MS)
  return code === 0 && stdout.includes('Linger=yes')
}
