// Clients of the example heavy-reports: some ask for reports that compute, others for light answers over kept-alive connections.

import { Agent, request } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { patience } from '../../../../../test/support/patience.ts'

/** The app of the example. */
export const REPORTS_APP = fileURLToPath(new URL('../../../../examples/heavy-reports/server.ts', import.meta.url))
const PAUSE_MS = 10
const LIGHT_PATHS = ['/', '/light', '/items/7']

export interface ReportLoadOptions {
  readonly port: number
  /** How long a report computes. */
  readonly reportMs: number
  readonly reportClients: number
  readonly lightClients: number
}

/** What the clients got. Times of light requests are in ms. */
export interface ReportAnswers {
  readonly light: number[]
  readonly lightPools: Set<string>
  readonly reports: number
  readonly reportPools: Set<string>
}

/** The clients run until `end`. */
export class ReportLoad {
  private readonly options: ReportLoadOptions
  private readonly agent = new Agent({ keepAlive: true })
  private readonly clients: Promise<void>[]
  private isOver = false
  private answers = emptyAnswers()

  constructor(options: ReportLoadOptions) {
    const { reportClients, lightClients, reportMs } = options
    this.options = options
    this.clients = [
      ...Array.from({ length: reportClients }, (_, client) =>
        this.run((turn) => this.askReport(`/reports/${client}${turn}?ms=${reportMs}`)),
      ),
      ...Array.from({ length: lightClients }, () => this.run((turn) => this.askLight(LIGHT_PATHS[turn % LIGHT_PATHS.length] as string))),
    ]
    for (const client of this.clients) client.catch(() => {})
  }

  /** Returns the answers since the last call. */
  collect(): ReportAnswers {
    const { answers } = this
    this.answers = emptyAnswers()
    return answers
  }

  /** Stops the clients. Resolves with the answers since the last `collect`; rejects if a request failed. */
  async end(): Promise<ReportAnswers> {
    this.isOver = true
    await Promise.all(this.clients)
    this.agent.destroy()
    return this.collect()
  }

  private async run(ask: (turn: number) => Promise<void>): Promise<void> {
    for (let turn = 0; !this.isOver; turn++) {
      await ask(turn)
      await setTimeout(PAUSE_MS)
    }
  }

  private async askReport(path: string): Promise<void> {
    const pool = await this.ask(path)
    this.answers = { ...this.answers, reports: this.answers.reports + 1 }
    this.answers.reportPools.add(pool)
  }

  private async askLight(path: string): Promise<void> {
    const beganAt = performance.now()
    const pool = await this.ask(path)
    this.answers.light.push(performance.now() - beganAt)
    this.answers.lightPools.add(pool)
  }

  /** Resolves with the pool of the worker that answered. */
  private ask(path: string): Promise<string> {
    const { agent } = this
    return new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port: this.options.port, path, agent }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (piece: string) => {
          text += piece
        })
        response.once('error', reject)
        response.once('end', () => {
          if (response.statusCode === 200) resolve((JSON.parse(text) as { pool: string }).pool)
          else reject(new Error(`${path}: ${response.statusCode} ${text}`))
        })
      })
      asked.setTimeout(patience(20_000), () => asked.destroy(new Error(`${path}: no answer`)))
      asked.once('error', reject)
      asked.end()
    })
  }
}

/** The value that so large a share of the values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

function emptyAnswers(): ReportAnswers {
  return { light: [], lightPools: new Set(), reports: 0, reportPools: new Set() }
}
