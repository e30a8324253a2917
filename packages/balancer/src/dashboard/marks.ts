// Events that belong on a chart of the last hour: what an operator did, and what went wrong.

import type { BalancerEmitter, BalancerEvents, Seat } from '../events.ts'
import { slotName as nameOf } from '../worker-name.ts'

export type MarkKind = 'operation' | 'fault' | 'recall' | 'ejection'

export interface Mark {
  /** In ms since 1970. */
  readonly time: number
  readonly kind: MarkKind
  readonly text: string
}

const MAX_MARKS = 200
const MAX_TEXT = 300
/** A saturated pool takes hand-offs back all the time: only the first after such a pause is marked. */
const RECALL_PAUSE_MS = 60_000

type Describe = { readonly [Name in keyof BalancerEvents]?: (...payload: BalancerEvents[Name]) => Pick<Mark, 'kind' | 'text'> | undefined }

const describe: Describe = {
  operationEnded: ({ name, message, error }) =>
    error === undefined ? { kind: 'operation', text: `${name}: ${message}` } : { kind: 'fault', text: `${name} failed: ${message}` },
  workerExited: ({ expected, signal, code, everReady, ...worker }) =>
    expected
      ? undefined
      : fault(
          worker,
          `${signal === null ? `exited with code ${code}` : `was ended by ${signal}`}${everReady ? '' : ' before it was ready'}`,
        ),
  workerNotStarted: ({ message, ...worker }) => fault(worker, `could not be started: ${message}`),
  workerHung: ({ busyMs, ...worker }) => fault(worker, `hangs: its loop has not turned for ${Math.round(busyMs / 1000)} s`),
  workerRetiring: ({ reason, isOneOff, ...worker }) =>
    isOneOff === true ? undefined : { kind: 'operation', text: `${nameOf(worker)} is replaced: ${reason}` },
  workerEjected: ({ reason, ...worker }) => ({ kind: 'ejection', text: `${nameOf(worker)} is ejected: ${reason}` }),
  seatBroken: ({ failures, ...worker }) => fault(worker, `is broken: it failed ${failures} times`),
  outageBegan: ({ pool }) => ({ kind: 'fault', text: `${pool} has no workers` }),
  outageEnded: ({ pool }) => ({ kind: 'operation', text: `${pool} serves again` }),
  acceptPaused: ({ reason }) => ({ kind: 'fault', text: `no connections are accepted: ${reason}` }),
  handedOver: () => ({ kind: 'operation', text: 'upgrade: a new primary serves' }),
}

export class Marks {
  private readonly now: () => number
  private readonly kept: Mark[] = []
  private readonly release: () => void
  private takenBack: number | undefined
  private recalledMs = Number.NEGATIVE_INFINITY
  /** Called with each new mark. */
  onMark: (mark: Mark) => void = () => {}

  /** Listens until `stop`. `now` in ms since 1970. */
  constructor(events: BalancerEmitter, now: () => number) {
    this.now = now
    const listeners = (Object.keys(describe) as (keyof Describe)[]).map((name) => {
      const listener = (...payload: unknown[]): void => {
        const found = (describe[name] as (...payload: unknown[]) => Pick<Mark, 'kind' | 'text'> | undefined)(...payload)
        if (found !== undefined) this.add(found.kind, found.text)
      }
      events.on(name, listener as never)
      return () => events.off(name, listener as never)
    })
    this.release = () => {
      for (const off of listeners) off()
    }
  }

  /** The oldest first. */
  get all(): readonly Mark[] {
    return this.kept
  }

  add(kind: MarkKind, text: string): void {
    const mark = { time: this.now(), kind, text: text.slice(0, MAX_TEXT) }
    this.kept.push(mark)
    if (this.kept.length > MAX_MARKS) this.kept.shift()
    this.onMark(mark)
  }

  /** No event tells of a recall, so each sample compares their number. `takenBack`: since the start. */
  countRecalls(takenBack: number): void {
    const more = takenBack - (this.takenBack ?? takenBack)
    this.takenBack = takenBack
    if (more <= 0) return
    const isNew = this.now() - this.recalledMs >= RECALL_PAUSE_MS
    this.recalledMs = this.now()
    if (isNew) this.add('recall', `${more} ${more === 1 ? 'hand-off was' : 'hand-offs were'} taken back from a stuck or dead worker`)
  }

  stop(): void {
    this.release()
  }
}

function fault(worker: Pick<Seat, 'pool' | 'slot'>, text: string): Pick<Mark, 'kind' | 'text'> {
  return { kind: 'fault', text: `${nameOf(worker)} ${text}` }
}
