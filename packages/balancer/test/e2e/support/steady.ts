// Visitors that ask all the time, over kept-alive connections and new ones: whatever is done to the workers, each must get its answer.

import { get, RawClient, type Target } from './raw-client.ts'

const PAUSE_MS = 15

export interface SteadyOptions {
  readonly target: Target
  /** Each asks for these by turns. Default `/`. */
  readonly paths?: readonly string[]
  readonly keptAlive?: number
  readonly fresh?: number
}

/** What the app says of itself: `version pid`, or whatever a test wants to see. */
export interface SteadyAnswers {
  readonly count: number
  readonly faults: readonly string[]
  /** Every body that came, with how often it did. */
  readonly bodies: ReadonlyMap<string, number>
}

/** Asks from the moment it is made, until it is ended. */
export class Steady {
  private readonly options: SteadyOptions
  private readonly clients: Promise<void>[]
  private isOver = false
  private faults: string[] = []
  private bodies = new Map<string, number>()
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
  take(): SteadyAnswers {
    const { count, faults, bodies } = this
    this.count = 0
    this.faults = []
    this.bodies = new Map()
    return { count, faults, bodies }
  }

  /** Resolves with what has come since the last look, when the last answer has. */
  async end(): Promise<SteadyAnswers> {
    this.isOver = true
    await Promise.all(this.clients)
    return this.take()
  }

  private async ask(index: number, isKept: boolean): Promise<void> {
    const { target, paths = ['/'] } = this.options
    let client: RawClient | undefined
    for (let turn = index; !this.isOver; turn++) {
      const path = paths[turn % paths.length] as string
      try {
        client ??= new RawClient(target)
        const { status, body } = await client.write(get(path, isKept ? { Connection: 'keep-alive' } : {})).answer(30_000)
        const said = body.toString()
        if (status === 200) this.bodies.set(said, (this.bodies.get(said) ?? 0) + 1)
        else this.faults.push(`${path}: ${status} ${said}`)
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
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
    client?.destroy()
  }
}
