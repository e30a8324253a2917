// A fake service manager that records notifications.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { type LoggedChild, spawnLogged } from '../../../../../test/support/spawn.ts'
import { until } from '../../../../../test/support/until.ts'
import { fixture, temporaryFolder } from './running-balancer.ts'

export interface Notification {
  readonly pid: number
  /** The assignments of one message, such as `READY=1`. */
  readonly assignments: readonly string[]
}

export class FakeServiceManager {
  readonly env: Record<string, string>
  private readonly child: LoggedChild

  private constructor(child: LoggedChild, env: Record<string, string>) {
    this.child = child
    this.env = env
  }

  /** `abstract`: its socket has no file. `watchdogMs`: timeout of its watchdog. */
  static async start({ abstract = false, watchdogMs }: { abstract?: boolean; watchdogMs?: number } = {}): Promise<FakeServiceManager> {
    const folder = temporaryFolder()
    const program = join(folder, 'datagrams')
    // Node has no unix datagrams.
    execFileSync(process.env.CXX ?? 'g++', ['-o', program, fixture('datagrams.cc')])
    const socket = `${abstract ? '@' : ''}${join(folder, 'notify')}`
    const child = spawnLogged(program, [socket])
    await child.untilOutput(/^bound$/m)
    return new FakeServiceManager(child, { NOTIFY_SOCKET: socket, ...(watchdogMs && { WATCHDOG_USEC: String(watchdogMs * 1000) }) })
  }

  /** All notifications, in order. */
  get notifications(): Notification[] {
    return this.child
      .stdout()
      .split('\n')
      .slice(1, -1)
      .map((line) => {
        const [, pid, text = ''] = /^(\d+) (.*)$/.exec(line) ?? []
        return { pid: Number(pid), assignments: text.split('|') }
      })
  }

  /** Resolves with the first notification, from `index` on, that has a matching assignment. */
  untilNotified(assignment: RegExp, index = 0): Promise<Notification> {
    const find = () => this.notifications.slice(index).find(({ assignments }) => assignments.some((one) => assignment.test(one)))
    return until(find, 15_000, `the notification ${assignment}`).catch((error) => {
      throw new Error(`${error.message}: ${JSON.stringify(this.notifications)}`)
    })
  }

  stop(): Promise<void> {
    return this.child.stop()
  }
}
