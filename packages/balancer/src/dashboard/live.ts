// The live part: one loop of timers for all readers. Without a reader only the samples of the history are taken.

import type { ServerResponse } from 'node:http'
import type { BalancerEmitter } from '../events.ts'
import type { BalancerStatus, LoopReading } from '../status.ts'
import { History, SAMPLE_MS } from './history.ts'
import { COLUMN_MS, LoopStrips, READ_MS } from './loop-strips.ts'
import { Marks } from './marks.ts'
import { type View, type ViewLists, Views } from './view.ts'
import { eventText, Viewers } from './viewers.ts'

export interface LiveOptions {
  readonly balancer: {
    status(): BalancerStatus
    /** The loop of every worker at this moment. */
    loops(): readonly LoopReading[]
  }
  readonly identity: { readonly name: string; readonly pid: number; readonly version: string }
  /** Left out: the balancer collects none of them. */
  readonly readLists?: (() => Promise<ViewLists>) | undefined
  readonly now: () => number
}

const VIEW_MS = 1_000
/** Between two readings of the loops for the history. */
const LOOP_MS = 1_000
const NO_LISTS: ViewLists = { decisions: null, badHeads: null, advice: null }

export class Live {
  private readonly options: LiveOptions
  private readonly history = new History()
  private readonly strips = new LoopStrips()
  private readonly viewers: Viewers
  private readonly sampleTimers: readonly NodeJS.Timeout[]
  private readonly openedMs: number
  private marks: Marks | undefined
  private views: Views
  private lastView: View | undefined
  private lists = NO_LISTS
  private timers: NodeJS.Timeout[] = []

  constructor(options: LiveOptions) {
    this.options = options
    this.openedMs = options.now()
    this.views = new Views()
    this.viewers = new Viewers(
      () => this.start(),
      () => this.stop(),
    )
    this.sample()
    this.sampleTimers = [setInterval(() => this.readLoops(), LOOP_MS).unref(), setInterval(() => this.sample(), SAMPLE_MS).unref()]
  }

  /** Marks what these events tell. */
  follow(events: BalancerEmitter): void {
    this.marks = new Marks(events, this.options.now)
    this.marks.onMark = (mark) => this.send('mark', mark)
  }

  send(name: string, data: unknown): void {
    if (this.viewers.count > 0) this.viewers.send(eventText(name, data))
  }

  /** Returns false when too many pages are open. */
  add(response: ServerResponse, headers: Readonly<Record<string, string>>, mayRead: () => boolean, hasSession: boolean): boolean {
    return this.viewers.add(response, headers, mayRead, () =>
      eventText('hello', {
        ...this.options.identity,
        hasSession,
        columnMs: COLUMN_MS,
        sampleMs: SAMPLE_MS,
        sinceMs: this.openedMs,
        history: this.history.read(),
        marks: this.marks?.all ?? [],
        strips: this.strips.all(),
        view: this.view(),
      }),
    )
  }

  close(): void {
    for (const timer of this.sampleTimers) clearInterval(timer)
    this.stop()
    this.marks?.stop()
    this.viewers.close()
  }

  private start(): void {
    this.timers = [
      setInterval(() => this.strips.read(this.options.balancer.loops()), READ_MS).unref(),
      setInterval(() => this.send('view', { ...this.view(), strips: this.strips.takeNew() }), VIEW_MS).unref(),
    ]
  }

  private stop(): void {
    for (const timer of this.timers) clearInterval(timer)
    this.timers = []
    this.strips.clear()
    this.views = new Views()
    this.lastView = undefined
  }

  /** A reader who comes between two views gets the last one: rates over a few milliseconds mean nothing. */
  private view(): View {
    const { balancer, readLists, now } = this.options
    const nowMs = now()
    if (this.lastView !== undefined && nowMs - this.lastView.time < VIEW_MS / 2) return this.lastView
    this.lastView = this.views.make(balancer.status(), this.lists, nowMs)
    void readLists?.().then(
      (lists) => {
        this.lists = lists
      },
      () => {},
    )
    return this.lastView
  }

  private readLoops(): void {
    this.history.readLoops(this.options.balancer.loops())
  }

  private sample(): void {
    const status = this.options.balancer.status()
    this.marks?.countRecalls(status.handOffs.takenBack)
    const row = this.history.add(status, this.options.now())
    if (row !== undefined) this.send('sample', row)
  }
}
