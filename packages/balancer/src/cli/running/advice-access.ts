// The advice of a `balancer start`: loaded some time after the balancer is ready, or for its first reader, so that it does not lengthen the start.

import type { Advisor } from '../../advice/advisor.ts'
import type { AdviceReport } from '../../advice.ts'
import { usableCpus } from '../../config/pool/cpus.ts'
import type { RunningBalancer } from '../io.ts'

export interface AdviceAccessOptions {
  readonly balancer: Pick<RunningBalancer, 'events' | 'status' | 'insight'>
}

const LOAD_AFTER_MS = 10_000

export class AdviceAccess {
  private readonly options: AdviceAccessOptions
  private readonly startMs = performance.now()
  private loading: Promise<Advisor | undefined> | undefined
  private timer: NodeJS.Timeout | undefined
  private isClosed = false

  constructor(options: AdviceAccessOptions) {
    this.options = options
  }

  /** The balancer is ready: it is watched from now on. While the config switches advice off, nothing is loaded. */
  start(): void {
    if (this.isClosed) return
    this.timer = setTimeout(() => (this.isOn ? this.load().catch(() => {}) : this.start()), LOAD_AFTER_MS).unref()
  }

  /** The advice of this moment. */
  async read(): Promise<AdviceReport> {
    const advisor = this.isOn ? await this.load() : undefined
    return advisor?.read() ?? { isOn: false, watchedMs: 0, advice: [] }
  }

  close(): void {
    this.isClosed = true
    clearTimeout(this.timer)
    void this.loading?.then(
      (advisor) => advisor?.stop(),
      () => {},
    )
  }

  private get isOn(): boolean {
    return this.options.balancer.insight?.settings.advice === true
  }

  private load(): Promise<Advisor | undefined> {
    this.loading ??= this.open()
    return this.loading
  }

  private async open(): Promise<Advisor | undefined> {
    const { Advisor } = await import('../../advice/advisor.ts')
    const { balancer } = this.options
    const { insight } = balancer
    if (insight === undefined) return undefined
    const advisor = new Advisor({
      events: balancer.events,
      status: () => balancer.status(),
      settings: () => insight.settings,
      routes: () => balancer.status().routes.flatMap(({ route: name, pool }) => (pool === null ? [] : [{ name, pool }])),
      cores: usableCpus(),
      startMs: this.startMs,
      now: () => performance.now(),
    })
    if (!this.isClosed) advisor.start()
    return advisor
  }
}
