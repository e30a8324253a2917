// What a running balancer can say of its choices: the last decisions, the last bad heads, and where a request would go now. The control socket and the
// admin page read it. What is rarely asked for is loaded when it is asked for.

import type { VisitorSlots } from '@switchyard/routing'
import type { Decision } from '../decisions/decision.ts'
import type { DecisionLine } from '../decisions/decision-log.ts'
import type { ActiveConfig } from '../dispatch/active-config.ts'
import type { PathRecords } from '../dispatch/path-records.ts'
import type { Settings } from '../settings.ts'
import type { FailedExchanges } from '../upstreams/server-counts.ts'
import type { Upstreams } from '../upstreams/upstreams.ts'
import type { BadHeadReport } from './bad-head-report.ts'
import type { CutReport } from './cut-report.ts'
import type { LiveExplanation } from './live-explanation.ts'
import type { UserRequest } from './user-request.ts'

export interface InsightOptions {
  readonly config: ActiveConfig
  readonly records: PathRecords
  readonly visitors: VisitorSlots
  readonly upstreams: () => Pick<Upstreams, 'failedExchanges' | 'statusOf'>
  /** The address of a listener; undefined: it is closed. */
  readonly listenerText: (listener: number) => string | undefined
}

export class Insight {
  private readonly options: InsightOptions

  constructor(options: InsightOptions) {
    this.options = options
  }

  /** Of the config in force; the last is that of requests that match no other. */
  get routeNames(): readonly string[] {
    const { routes } = this.options.config.current
    return [...routes.routes, routes.fallback].map(({ name }) => name)
  }

  /** Of the config in force. */
  get settings(): Settings {
    return this.options.config.current.settings
  }

  /** Are decisions recorded already? */
  get isRecording(): boolean {
    return this.options.records.decisions.isOn
  }

  /** The newest decisions that meet the condition, oldest first. Recording begins with the first call. */
  lastDecisions(count: number, condition?: (decision: Decision) => boolean): Decision[] {
    return this.options.records.decisions.last(count, condition)
  }

  /** Calls back for each decision from now on, until the returned function is called. */
  followDecisions(onLine: (line: DecisionLine) => void): () => void {
    return this.options.records.decisions.follow(onLine)
  }

  /** The last heads that were refused or could not be read, oldest first. */
  async badHeads(): Promise<BadHeadReport[]> {
    const { config, records } = this.options
    const { reportBadHead, secretNamesOf } = await import('./bad-head-report.ts')
    const names = secretNamesOf(config.current.settings)
    return records.badHeads.newest.map((head) => reportBadHead(head, names))
  }

  /** Exchanges with upstream servers that failed, by server and reason. The one that failed last is at the end. */
  get failedExchanges(): FailedExchanges[] {
    return this.options.upstreams().failedExchanges
  }

  /** The clients whose connections of HTTP/2 were cut last, oldest first. */
  cutConnections(): CutReport[] {
    const { records, listenerText } = this.options
    return records.cutConnections.newest.map(({ address, listener, reason, count, firstMs, lastMs }) => {
      return { time: lastMs, since: firstMs, address, listener: listenerText(listener) ?? null, reason, count }
    })
  }

  /** Where this request would go at this moment. Changes nothing. */
  async explain(request: UserRequest): Promise<LiveExplanation> {
    const { explainLive } = await import('./live-explanation.ts')
    return explainLive(request, this.options)
  }
}
