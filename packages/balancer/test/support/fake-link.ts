// The link to a fake worker: a channel and a load row whose worker side a test plays.

import {
  type Channel,
  type ChannelListener,
  type Connection,
  type LoadReport,
  type LoadRow,
  newRouteCounters,
  type Owners,
  type Question,
  type Transport,
  type WorkerLink,
} from '@switchyard/handoff'

type Fate = 'unclaimed' | 'claimed' | 'not received'

interface Offered {
  readonly connection: Connection
  readonly bound: boolean
  readonly isSent: boolean
  readonly fate: Fate
  readonly ageMs: number
}

export class FakeLoad implements LoadRow {
  unfinished = 0
  received = 0
  busyMs = 0
  nextInMs = Number.POSITIVE_INFINITY
  turnsAreAlike = true
  requestLoopMs = 0
  isOverdue = false
  handedOff = 0
  isWanted = false
  readonly turnWaitMs = 5
  readonly turnMs = 5
  readonly loopLagMs = 0
  readonly utilisation = 0
  readonly latencyMs = 0
  readonly memoryBytes = 0
  readonly turns = 0
  readonly begun = 0
  readonly routeCounters = newRouteCounters()
  readonly failed = 0
  readonly faults = 0
  readonly details = undefined

  get onTheWay(): number {
    return this.handedOff - this.received
  }

  get inFlight(): number {
    return this.unfinished + this.onTheWay
  }

  get connections(): number {
    return this.inFlight
  }

  get isFree(): boolean {
    return this.busyMs === 0 && this.received === this.handedOff
  }

  report(_report: LoadReport): void {}

  requestNotice(): boolean {
    this.isWanted = true
    return this.isFree
  }

  cancelNotice(): void {
    this.isWanted = false
  }
}

export class FakeChannel implements Channel {
  claimed = 0
  readonly load = new FakeLoad()
  /** Every descriptor that was offered, in order. */
  readonly log: number[] = []
  /** Called for each offer as it arrives. */
  onOffer: ((fd: number) => void) | undefined
  private offered: Offered[] = []
  private readonly window: number
  private readonly owners: Owners
  private readonly listener: ChannelListener

  constructor(listener: ChannelListener, window: number, owners: Owners) {
    this.listener = listener
    this.window = window
    this.owners = owners
  }

  // ---- The worker's side ----

  /** Claims its offers, or only the oldest `most`. Returns how many these are. */
  claim(most = Number.POSITIVE_INFINITY): number {
    return this.decide('claimed', most)
  }

  /** The worker could not receive its oldest offer, for want of a descriptor. */
  fail(): void {
    this.decide('not received', 1)
  }

  /** Time passes. */
  grow(ms: number): void {
    this.offered = this.offered.map((one) => ({ ...one, ageMs: one.ageMs + ms }))
  }

  /** The loop turns, and the worker signals it if the primary subscribed. */
  turn(): void {
    if (!this.load.isWanted) return
    this.load.isWanted = false
    this.listener.onTurned()
    this.listener.onBatchEnd()
  }

  /** The worker gives a connection back. */
  giveBack(connection: Connection, reason = 0): void {
    this.owners.move(connection.fd, 'none', 'dispatcher')
    this.listener.onGivenBack(connection, reason)
    this.listener.onBatchEnd()
  }

  private decide(fate: Fate, most: number): number {
    let decided = 0
    this.offered = this.offered.map((one) => {
      if (one.fate !== 'unclaimed' || decided >= most) return one
      decided++
      if (fate === 'claimed') this.load.received++
      return { ...one, fate }
    })
    return decided
  }

  // ---- The primary's side ----

  get outstanding(): number {
    return this.offered.length
  }

  get isSettled(): boolean {
    return this.offered.length === 0
  }

  get hasRoom(): boolean {
    return this.offered.length < this.window
  }

  /** Offers that were not sent yet. No connection may be left here. */
  get unsent(): number {
    return this.offered.filter(({ isSent }) => !isSent).length
  }

  offer(connection: Connection, bound: boolean): boolean {
    if (!this.hasRoom) return false
    this.owners.move(connection.fd, 'dispatcher', 'channel')
    this.offered.push({ connection, bound, isSent: false, fate: 'unclaimed', ageMs: 0 })
    this.load.handedOff++
    this.log.push(connection.fd)
    this.onOffer?.(connection.fd)
    return true
  }

  flush(): void {
    this.offered = this.offered.map((one) => ({ ...one, isSent: true }))
  }

  settle(): readonly Connection[] {
    this.flush()
    const back = this.takeIf(({ fate }) => fate === 'not received')
    this.load.handedOff -= back.length
    this.letGo()
    return back
  }

  takeBack(): readonly Connection[] {
    this.letGo()
    return this.takeIf(() => true)
  }

  recall(most: number, olderThanMs: number): readonly Connection[] {
    let left = most
    const back = this.takeIf(({ fate, bound, ageMs }) => fate === 'unclaimed' && !bound && ageMs >= olderThanMs && left-- > 0)
    this.load.handedOff -= back.length
    return back
  }

  answer(_question: Question, _verdict: number): void {}
  readAll(): void {}
  close(): void {}

  /** These connections are the worker's for good. */
  private letGo(): void {
    for (const { connection } of this.offered.filter(({ fate }) => fate === 'claimed')) {
      this.owners.move(connection.fd, 'channel', 'none')
      this.claimed++
    }
    this.offered = this.offered.filter(({ fate }) => fate !== 'claimed')
  }

  private takeIf(isTaken: (one: Offered) => boolean): readonly Connection[] {
    const taken = new Set(this.offered.filter(isTaken))
    this.offered = this.offered.filter((one) => !taken.has(one))
    for (const { connection } of taken) this.owners.move(connection.fd, 'channel', 'dispatcher')
    return [...taken].map(({ connection }) => connection)
  }
}

/** A transport whose workers may have `window` unclaimed hand-offs. It has no acceptor. */
export function fakeTransport(window: number, owners: Owners): Transport {
  return {
    kind: 'native',
    owners,
    passages: undefined,
    openAcceptor: () => {
      throw new Error('a fake transport has no door')
    },
    openLink: (listener): WorkerLink => {
      const channel = new FakeChannel(listener, window, owners)
      const ends = { kind: 'native', socket: 0, memory: 0, control: 0, window } as const
      const link = { channel, load: channel.load, stdio: [], ends, control: undefined }
      return {
        ...link,
        movesConnections: true,
        sendReadySlots() {},
        sendKeptLimit() {},
        countChange() {},
        started() {},
        afterExit: (then) => then(),
      }
    },
  }
}
