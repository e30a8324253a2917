// Carries out what a reader with a session asks for: the operations of the control socket that the page has buttons for.

import type { IncomingMessage } from 'node:http'
import { RequestFault, readOperation } from '../control/control-requests.ts'
import { performOperation } from '../control/perform-operation.ts'
import { BalancerError } from '../errors.ts'
import type { Operations } from '../operations.ts'
import { messageOf } from '../thrown-error.ts'
import { slotName } from '../worker-name.ts'

const ACTIONS = ['drain', 'restart', 'reload', 'rollback', 'scale'] as const
type ActionName = (typeof ACTIONS)[number]

/** An operation that takes longer goes on, and its outcome comes as an event. */
const ANSWER_WITHIN_MS = 1_000
/** Operations at the same time. Further ones are refused. */
const MAX_RUNNING = 16

/** `isOver` false: it is under way. */
export interface Outcome {
  readonly action: string
  readonly isOver: boolean
  readonly isGood: boolean
  readonly message: string
}

export interface ActionsOptions {
  readonly operations: Operations
  /** For the log: what was asked for, and from which address. */
  readonly onAction: (description: string, address: string) => void
  /** The outcome of an operation that took long. */
  readonly onOutcome: (outcome: Outcome) => void
}

export class Actions {
  private readonly options: ActionsOptions
  private running = 0

  constructor(options: ActionsOptions) {
    this.options = options
  }

  /** Runs `/dashboard/act/<name>`. Throws a RequestFault when the request is not valid. */
  async run(name: string, request: IncomingMessage): Promise<Outcome> {
    const action = ACTIONS.find((one) => one === name)
    if (action === undefined) throw new RequestFault(404, `there is no action '${name.slice(0, 40)}'`)
    const body = await readOperation(action, request)
    if (this.running >= MAX_RUNNING) throw new RequestFault(503, `${MAX_RUNNING} operations are under way`)
    const description = describe(action, body)
    this.options.onAction(description, request.socket.remoteAddress ?? 'unknown')
    this.running++
    const done = performOperation(this.options.operations, action, body, (body as { pool?: string }).pool)
      .then(
        ({ message }) => ({ action: description, isOver: true, isGood: true, message }),
        (error: unknown) => ({ action: description, isOver: true, isGood: false, message: failureOf(error) }),
      )
      .finally(() => this.running--)
    const first = await withinTime(done)
    if (first !== undefined) return first
    void done.then(this.options.onOutcome)
    return { action: description, isOver: false, isGood: true, message: `${description} is under way` }
  }
}

/** undefined: it takes longer. */
async function withinTime(done: Promise<Outcome>): Promise<Outcome | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ANSWER_WITHIN_MS)
  })
  try {
    return await Promise.race([done, late])
  } finally {
    clearTimeout(timer)
  }
}

function describe(action: ActionName, body: object): string {
  const { pool, slot, proxy, to, by } = body as { pool?: string; slot?: number; proxy?: boolean; to?: number; by?: number }
  const target = slot === undefined ? pool : slotName({ pool: pool ?? '', slot, proxy })
  const change = to !== undefined ? String(to) : by !== undefined ? `${by > 0 ? '+' : ''}${by}` : undefined
  return [action, target, change].filter((part) => part !== undefined).join(' ')
}

function failureOf(error: unknown): string {
  return error instanceof BalancerError ? error.message : `it failed: ${messageOf(error)}`
}
