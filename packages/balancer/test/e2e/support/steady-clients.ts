// Visitors that ask all the time, over kept-alive connections and new ones: whatever is done to the workers, each must get its answer.

import { until } from '../../../../../test/support/until.ts'
import { get, RawClient, type Target, thinkTime } from './raw-client.ts'

const PAUSE_MS = 15

export interface SteadyOptions {
  readonly target: Target
  /** Each asks for these by turns. Default `/`. */
  readonly paths?: readonly string[]
  readonly keptAlive?: number
  readonly fresh?: number
}

export interface SteadyAnswers {
  readonly count: number
  readonly faults: readonly string[]
  /** Every answer that came, `path: body`. */
  readonly answers: ReadonlySet<string>
}

/** Asks from the moment it is made, until it is ended. */
export class SteadyClients {
  private readonly options: SteadyOptions
  private readonly clients: Promise<void>[]
  private isOver = false
  private faults: string[] = []
  private answers = new Set<string>()
  private count = 0

  constructor(options: SteadyOptions) {
    const { keptAlive = 2, fresh = 2 } = options
    this.options = options
    this.clients = [
      ...Array.from({ length: keptAlive }, (_, index) => this.ask(index, true)),
      ...Array.from({ length: fresh }, (_, index) => this.ask(index, false)),
    ]
  }

  /** What has come since the last look. */
  collect(): SteadyAnswers {
    const { count, faults, answers } = this
    this.count = 0
    this.faults = []
    this.answers = new Set()
    return { count, faults, answers }
  }

  /** What has come since now, when it is so many answers. */
  async next(count: number): Promise<SteadyAnswers> {
    this.collect()
    await until(() => this.count >= count, 10_000, `${count} answers`)
    return this.collect()
  }

  /** Resolves with what has come since the last look, when the last answer has. */
  async end(): Promise<SteadyAnswers> {
    this.isOver = true
    await Promise.all(this.clients)
    return this.collect()
  }

  private async ask(index: number, isKept: boolean): Promise<void> {
    const { target, paths = ['/'] } = this.options
    let client: RawClient | undefined
    for (let turn = index; !this.isOver; turn++) {
      const path = paths[turn % paths.length] as string
      try {
        client ??= new RawClient(target)
        const { status, body } = await client.write(get(path, isKept ? { Connection: 'keep-alive' } : {})).answer(30_000)
        if (status === 200) this.answers.add(`${path}: ${body}`)
        else this.faults.push(`${path}: ${status} ${body}`)
        this.count++
      } catch (error) {
        this.faults.push(`${path}, ${isKept ? 'kept alive' : 'new'}: ${(error as Error).message}`)
        client?.destroy()
        client = undefined
      }
      if (!isKept) {
        client?.destroy()
        client = undefined
      }
      await thinkTime(PAUSE_MS)
    }
    client?.destroy()
  }
}
