// Looks at the balancer every 20 seconds and says each piece of advice once as an event. A reader gets the advice of the moment.

import type { Advice, AdviceReport } from '../advice.ts'
import type { BalancerEmitter } from '../events.ts'
import type { Settings } from '../settings.ts'
import type { BalancerStatus } from '../status.ts'
import { advise } from './advise.ts'
import { Collector, factsOf, MOST_WATCHED_MS, SAMPLE_MS, sampleOf } from './collector.ts'
import type { ConfigFacts, Sample } from './observations.ts'

export interface AdvisorOptions {
  readonly events: BalancerEmitter
  readonly status: () => BalancerStatus
  /** Of the config in force. */
  readonly settings: () => Settings
  readonly routes: () => ConfigFacts['routes']
  readonly cores: number
  /** When the balancer was started, by `now`. */
  readonly startMs: number
  /** Milliseconds of a clock that does not jump. */
  readonly now: () => number
}

/** Pieces that are remembered. */
const MAX_GIVEN = 200
/** Workers have said these in the log already, when they saw them. */
const SAID_BY_WORKERS: readonly string[] = ['lost-sessions', 'untrusted-proxy']

export class Advisor {
  private readonly options: AdvisorOptions
  private readonly collector: Collector
  /** Since when each piece of the last look holds, by kind and subject; in ms since 1970. */
  private since = new Map<string, number>()
  private readonly given = new Set<string>()
  private timer: NodeJS.Timeout | undefined

  constructor(options: AdvisorOptions) {
    this.options = options
    this.collector = new Collector(options.startMs)
  }

  start(): void {
    this.timer ??= setInterval(() => this.look(), SAMPLE_MS).unref()
  }

  stop(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }

  read(): AdviceReport {
    const { settings, startMs, now } = this.options
    const watchedMs = Math.min(now() - startMs, MOST_WATCHED_MS)
    if (!settings().advice) return { isOn: false, watchedMs, advice: [] }
    const advice = this.find(this.sample())
    return { isOn: true, watchedMs, advice: advice.map((one) => ({ ...one, sinceMs: this.sinceOf(one) })) }
  }

  private look(): void {
    if (!this.options.settings().advice) return
    const sample = this.sample()
    for (const advice of this.find(sample)) {
      const key = keyOf(advice)
      if (this.given.has(key) || this.given.size >= MAX_GIVEN) continue
      this.given.add(key)
      if (!SAID_BY_WORKERS.includes(advice.kind)) this.options.events.emit('adviceGiven', advice)
    }
    this.collector.add(sample)
  }

  private find(now: Sample): Advice[] {
    const { settings, routes, cores } = this.options
    const found = advise(this.collector.read(now, factsOf(settings(), routes()), cores))
    this.since = new Map(found.map((advice) => [keyOf(advice), this.sinceOf(advice)]))
    return found
  }

  private sinceOf(advice: Advice): number {
    return this.since.get(keyOf(advice)) ?? Date.now()
  }

  private sample(): Sample {
    return sampleOf(this.options.status(), this.options.now())
  }
}

function keyOf({ kind, subject }: Advice): string {
  return `${kind} ${subject}`
}
