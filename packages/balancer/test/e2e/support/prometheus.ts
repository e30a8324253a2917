// A real Prometheus that scrapes one address every second.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { patience } from '../../../../../test/support/patience.ts'
import { freePort } from '../../../../../test/support/ports.ts'
import { type LoggedChild, spawnLogged } from '../../../../../test/support/spawn.ts'
import { until } from '../../../../../test/support/until.ts'

interface Answer {
  readonly status: string
  readonly error?: string
  readonly data: {
    readonly result: readonly {
      readonly metric: Record<string, string>
      readonly value: readonly [number, string]
      readonly values?: readonly (readonly [number, string])[]
    }[]
  }
}

export class Prometheus {
  private readonly url: string
  private readonly child: LoggedChild

  private constructor(child: LoggedChild, url: string) {
    this.child = child
    this.url = url
  }

  /** Scrapes `host:port`, and keeps its data in `folder`. */
  static async start(target: string, folder: string): Promise<Prometheus> {
    const file = join(folder, 'prometheus.yml')
    const config = { scrape_configs: [{ job_name: 'balancer', scrape_interval: '1s', static_configs: [{ targets: [target] }] }] }
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(config))
    const address = `127.0.0.1:${await freePort()}`
    const args = [`--config.file=${file}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=${address}`]
    const prometheus = new Prometheus(spawnLogged('prometheus', args, { cwd: folder }), `http://${address}`)
    await until(async () => (await prometheus.values('up == 1').catch(() => [])).length > 0, 20_000, 'a scrape')
    return prometheus
  }

  /** The stored values of each series of a selector such as `up[10s]`. */
  async series(selector: string): Promise<{ labels: Record<string, string>; values: number[] }[]> {
    return (await this.query(selector)).map(({ metric, values = [] }) => ({
      labels: metric,
      values: values.map(([, value]) => Number(value)),
    }))
  }

  async values(query: string): Promise<number[]> {
    return (await this.query(query)).map(({ value }) => Number(value[1]))
  }

  private async query(query: string): Promise<Answer['data']['result']> {
    const response = await fetch(`${this.url}/api/v1/query?query=${encodeURIComponent(query)}`, {
      signal: AbortSignal.timeout(patience(10_000)),
    })
    const { status, error, data } = (await response.json()) as Answer
    if (status !== 'success') throw new Error(`${query}: ${error}`)
    return data.result
  }

  stop(): Promise<void> {
    return this.child.stop()
  }
}
