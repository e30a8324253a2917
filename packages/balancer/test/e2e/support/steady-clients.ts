// Clients that send requests all the time, over kept-alive and new connections. Each request must be answered, whatever is done to the workers.

import { until } from '../../../../../test/support/until.ts'
import { get, RawClient, type Target, thinkTime } from './raw-client.ts'

const PAUSE_MS = 40

export interface SteadyOptions {
  readonly target: Target
  /** Each client requests these in turn. Default `/`. */
  readonly paths?: readonly string[]
  readonly keptAlive?: number
  readonly fresh?: number
}

export interface SteadyAnswers {
  readonly count: number
  readonly faults: readonly string[]
  /** All different answers, `path: body`. */
  readonly answers: ReadonlySet<string>
}

/** The clients run until `end`. */
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

  /** Returns the answers since the last call. */
  collect(): SteadyAnswers {
    const { count, faults, answers } = this
    this.count = 0
    this.faults = []
    this.answers = new Set()
    return { count, faults, answers }
  }

  /** Resolves with the next `count` answers. */
  async next(count: number): Promise<SteadyAnswers> {
    this.collect()
    await until(() => this.count >= count, 10_000, `${count} answers`)
    return this.collect()
  }

  /** Stops the clients. Resolves with the answers since the last `collect`. */
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
