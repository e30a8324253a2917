// The example heavy-reports without its pool: the balancer advises one, and the config that it prints is pasted in.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { assert } from '../../../../../test/suite.ts'
import { until } from '../../../../../test/support/until.ts'
import type { AdviceReport, GivenAdvice } from '../../../src/advice.ts'
import { runCommand } from './commands.ts'
import { quantile, REPORTS_APP, type ReportAnswers, ReportLoad } from './report-load.ts'
import { type RunningBalancer, startBalancer, temporaryFolder } from './running-balancer.ts'

const CLIENTS = { reportClients: 2, lightClients: 4 }

export class AdviceRun {
  readonly balancer: RunningBalancer
  private readonly file: string
  private readonly reportMs: number

  private constructor(balancer: RunningBalancer, file: string, reportMs: number) {
    this.balancer = balancer
    this.file = file
    this.reportMs = reportMs
  }

  /** The example's config has two pools; this one has one with as many workers for light requests. */
  static async start(reportMs: number, env: Readonly<Record<string, string>> = {}): Promise<AdviceRun> {
    const configFile = join(temporaryFolder(), 'balancer.config.mjs')
    writeFileSync(configFile, configText(''))
    const run = new AdviceRun(await startBalancer({ configFile, env }), configFile, reportMs)
    await run.balancer.untilAllReady(30_000)
    return run
  }

  async advise(): Promise<AdviceReport> {
    const { code, out, err } = await runCommand(this.balancer, ['advise', '--config', this.file, '--json'])
    assert.is(code, 0, err)
    return JSON.parse(out) as AdviceReport
  }

  async adviseText(): Promise<string> {
    return (await runCommand(this.balancer, ['advise', '--config', this.file])).out
  }

  /** Reports and light requests, until the balancer advises something. */
  async untilAdvised(): Promise<{ advice: readonly GivenAdvice[]; answers: ReportAnswers }> {
    const load = this.load()
    try {
      const advice = await until(
        async () => {
          const { advice } = await this.advise()
          return advice.length > 0 ? advice : undefined
        },
        20_000,
        'advice',
      )
      return { advice, answers: await load.end() }
    } finally {
      await load.end().catch(() => {})
    }
  }

  /** Pastes what was advised, and reloads. */
  async paste(config: string): Promise<void> {
    writeFileSync(this.file, configText(config))
    const { code, out, err } = await runCommand(this.balancer, ['reload', '--config', this.file])
    assert.is(code, 0, out + err)
    await this.balancer.untilAllReady(30_000)
  }

  /** Reports and light requests for so long. */
  async measure(ms: number): Promise<ReportAnswers> {
    const load = this.load()
    await setTimeout(ms)
    return load.end()
  }

  private load(): ReportLoad {
    return new ReportLoad({ ...CLIENTS, port: this.balancer.port, reportMs: this.reportMs })
  }
}

/** 99th percentile of the light requests. */
export function lightP99({ light }: ReportAnswers): number {
  return quantile(light, 0.99)
}

/** The user's own config, with the advised options put into it as they stand. */
function configText(advised: string): string {
  return `
const advised = {
${advised}
}
const own = {
  app: ${JSON.stringify(REPORTS_APP)},
  startTimeoutMs: 60_000,
  listen: '127.0.0.1:0',
  pools: { web: { workers: 2, reload: { settleMs: 50 } } },
  routes: [{ path: '/*' }],
}
export default {
  ...own,
  pools: { ...own.pools, ...advised.pools },
  routes: [...(advised.routes ?? []), ...own.routes],
}
`
}
