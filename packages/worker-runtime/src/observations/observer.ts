// What this worker sees that the balancer can give advice on, and its reports to the primary: every two seconds, if something has changed.

import type { LostSessions, UntrustedProxy, WorkerObservations } from '../observation-messages.ts'
import type { Runtime } from '../runtime.ts'
import { BlockingRequests } from './blocking-requests.ts'
import { ChangingKeys } from './changing-keys.ts'

const REPORT_MS = 2_000

export class Observer {
  readonly blocking = new BlockingRequests()
  readonly changingKeys = new ChangingKeys()
  private readonly proxies = new Map<string, UntrustedProxy>()
  private lostSessions: LostSessions | undefined

  recordProxy(address: string, clients: number): void {
    this.proxies.set(address, { address, clients })
  }

  recordLostSession(path: string, isSticky: boolean): void {
    this.lostSessions = { path, isSticky, requests: (this.lostSessions?.requests ?? 0) + 1 }
  }

  read(): WorkerObservations {
    const { blocking, changingKeys, proxies, lostSessions } = this
    return {
      blocking: blocking.list,
      sampled: blocking.sampled,
      otherPaths: blocking.otherPaths,
      proxies: [...proxies.values()],
      changingKeys: changingKeys.list,
      lostSessions,
    }
  }

  /** The timer does not keep the process alive. */
  startReports(runtime: Pick<Runtime, 'send'>): void {
    let last = JSON.stringify(this.read())
    setInterval(() => {
      const observed = this.read()
      const text = JSON.stringify(observed)
      if (text === last) return
      last = text
      runtime.send({ switchyard: 'observed', observed })
    }, REPORT_MS).unref()
  }
}
