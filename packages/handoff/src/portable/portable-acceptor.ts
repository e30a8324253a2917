// The door over Node's own net.Server: the bytes of a head are really read, and travel with the hand-off.

import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, renameSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { RequestHead } from '@switchyard/routing'
import {
  type Acceptor,
  type AcceptorOptions,
  type Arrival,
  type HeadBounds,
  newAcceptorCounts,
  nextListenerNumber,
} from '../acceptor/acceptor.ts'
import { descriptorLimit, nextDescriptor } from '../acceptor/descriptor-limit.ts'
import { headState } from '../acceptor/first-look.ts'
import {
  type BoundListener,
  type InheritedListener,
  isAbstract,
  type ListenerAddress,
  removeStale,
  withMode,
} from '../acceptor/listener.ts'
import { PendingHeads } from '../acceptor/pending-heads.ts'
import { type RefusalReason, refusalAnswer } from '../acceptor/refusal.ts'
import type { Connection } from '../channel.ts'
import type { HeldSocket, HeldSockets } from '../node-internals/held-socket.ts'
import { listeningDescriptor } from '../node-internals/server-fields.ts'
import type { Owner } from '../owners.ts'
import { listenerOf, packTag } from '../tag.ts'

const DEFAULT_BACKLOG = 511
/** The longest path that a unix socket may have. */
const MAX_PATH_BYTES = 107
const SWEEP_MS = 100
const PAUSE_MS = 50
/** Nothing is held against a client whose first bytes are on their way. */
const FRESH_MS = 100

interface Listener {
  /** undefined: another process has it. */
  server: Server | undefined
  peek: boolean
  /** Clients may come in. */
  isAdmitted: boolean
  /** A socket that listens already. Node would accept from it at once, so it is opened when the door lets in. */
  inherited: InheritedListener | undefined
}

type ListenOptions = Omit<NonNullable<Parameters<Server['listen']>[0]>, 'exclusive'>

interface Fresh {
  readonly listener: number
  readonly sinceMs: number
}

export class PortableAcceptor implements Acceptor {
  readonly counts = newAcceptorCounts()
  /** Nothing comes back from a worker here. */
  readonly restingCount = 0
  private readonly options: AcceptorOptions
  private readonly held: HeldSockets
  private maxHeadBytes: number
  private passesLonger: boolean
  private readonly listeners = new Map<number, Listener>()
  private lastNumber = -1
  /** Accepted before anybody may come in: Node accepts as soon as it listens. */
  private readonly early = new Map<number, number>()
  private readonly fresh = new Map<number, Fresh>()
  private readonly pendingHeads: PendingHeads
  private readonly lingering = new Map<number, number>()
  /** In somebody else's hands, who wants to know when their clients leave. */
  private readonly watchedForHangUp = new Set<number>()
  private readonly lastDescriptor: number
  private sweeper: NodeJS.Timeout | undefined
  private accepting = false
  private paused: NodeJS.Timeout | undefined
  private closed = false

  /** `held`: shared with the channels. */
  constructor(options: AcceptorOptions, held: HeldSockets) {
    this.options = options
    this.maxHeadBytes = options.maxHeadBytes
    this.passesLonger = options.passesLonger === true
    this.held = held
    this.pendingHeads = new PendingHeads(options)
    this.lastDescriptor = Math.floor(descriptorLimit() * options.descriptorShare)
  }

  allowHeads({ maxHeadBytes, passesLonger = false }: HeadBounds): void {
    this.passesLonger ||= passesLonger
    this.maxHeadBytes = Math.max(this.maxHeadBytes, maxHeadBytes)
  }

  get isAccepting(): boolean {
    return this.accepting
  }

  async listen(address: ListenerAddress, inherited?: InheritedListener): Promise<BoundListener> {
    const { host, port = 0, path, ipv6Only = false, backlog = DEFAULT_BACKLOG, peek = true, reusePort = false, mode } = address
    if (path !== undefined && !isAbstract(path) && inherited === undefined) await removeStale(path)
    if (this.closed) return { host, port, path, number: this.lastNumber }
    const server = this.serverFor(() => number)
    const number = this.addListener({ server, peek, inherited, isAdmitted: false })
    if (inherited !== undefined) return { host: inherited.host, port: inherited.port, path: inherited.path, number }
    try {
      if (path !== undefined) {
        await this.openAt(server, path, backlog, mode)
        return { host: undefined, port: undefined, path, number }
      }
      await this.open(server, { port, ipv6Only, ...(host !== undefined && { host }), backlog, ...(reusePort && { reusePort }) })
    } catch (error) {
      this.listeners.delete(number)
      throw error
    }
    const bound = server.address() as { address: string; port: number } | null
    return { host: host ?? bound?.address, port: bound?.port ?? port, path: undefined, number }
  }

  async relisten(number: number, { path, backlog = DEFAULT_BACKLOG, mode }: ListenerAddress & { readonly path: string }): Promise<void> {
    const server = this.serverFor(() => number)
    await this.openAt(server, path, backlog, mode)
    const listener = this.listeners.get(number)
    if (listener === undefined) return void server.close()
    closeOne(listener)
    listener.server = server
    listener.inherited = undefined
  }

  private serverFor(number: () => number): Server {
    const options = { pauseOnConnect: true, allowHalfOpen: true, noDelay: true }
    return createServer(options, (socket) => this.onConnection(socket, number()))
  }

  private async openAt(server: Server, path: string, backlog: number, mode: number | undefined): Promise<void> {
    const first = isAbstract(path) ? path : firstName(path)
    // Node makes the file before listen() returns.
    await withMode(mode, () => this.open(server, { path: first, backlog }))
    if (!this.closed && first !== path) renameSync(first, path)
  }

  addForeign(peek: boolean): number {
    return this.addListener({ server: undefined, peek, inherited: undefined, isAdmitted: false })
  }

  private addListener(listener: Listener): number {
    this.lastNumber = nextListenerNumber(this.lastNumber, this.listeners)
    this.listeners.set(this.lastNumber, listener)
    return this.lastNumber
  }

  get listening(): { number: number; fd: number }[] {
    if (this.closed) return []
    return [...this.listeners].flatMap(([number, { server, inherited }]) => {
      const fd = server && (listeningDescriptor(server) ?? inherited?.fd)
      return fd === undefined ? [] : [{ number, fd }]
    })
  }

  get peeks(): Record<number, boolean> {
    return Object.fromEntries([...this.listeners].map(([number, { peek }]) => [number, peek]))
  }

  private async open(server: Server, where: ListenOptions): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      // The door was closed meanwhile.
      server.once('close', resolve)
      server.listen({ ...where, exclusive: true }, () => {
        server.off('error', reject)
        // No descriptor for the next client.
        server.on('error', ({ errno }: NodeJS.ErrnoException) => this.pause(`accept failed with errno ${errno}`))
        resolve()
      })
    })
  }

  accept(): void {
    this.accepting = true
    for (const number of this.listeners.keys()) this.acceptOn(number)
  }

  acceptOn(number: number): void {
    const listener = this.listeners.get(number)
    if (listener === undefined) return
    listener.isAdmitted = true
    if (!this.accepting) return
    const { server, inherited } = listener
    if (server !== undefined && inherited !== undefined && !server.listening)
      this.open(server, { fd: inherited.fd }).catch(({ message }: Error) => this.options.onPause?.(message))
    for (const [fd, from] of this.early) {
      if (from !== number) continue
      this.early.delete(fd)
      this.counts.waiting--
      this.held.owners?.move(fd, 'early', 'dispatcher')
      this.admit(fd, number)
    }
    this.options.onBatchEnd()
  }

  setPeek(number: number, peek: boolean): void {
    const listener = this.listeners.get(number)
    if (listener !== undefined) listener.peek = peek
  }

  closeListener(number: number): void {
    const listener = this.listeners.get(number)
    if (listener === undefined) return
    this.listeners.delete(number)
    closeOne(listener)
    for (const [fd, from] of this.early) {
      if (from !== number) continue
      this.early.delete(fd)
      this.counts.waiting--
      this.held.owners?.move(fd, 'early', 'dispatcher')
      this.drop(fd)
    }
  }

  closeListeners(): void {
    clearInterval(this.paused)
    this.accepting = false
    if (this.closed) return
    this.closed = true
    for (const listener of this.listeners.values()) closeOne(listener)
  }

  /** A worker of this channel gives nothing back. */
  rest({ fd }: Connection): void {
    this.counts.givenBack++
    this.drop(fd)
  }

  closeResting(): void {}

  /** Node passes connections to its children only. */
  handOver(): void {}

  /** See `rest`. */
  receiveBack(connection: Connection): Arrival | undefined {
    this.counts.givenBack++
    return this.readmit(connection)
  }

  close(): void {
    this.closeListeners()
    clearInterval(this.sweeper)
    for (const fd of this.early.keys()) this.end(fd, 'early')
    for (const fd of [...this.fresh.keys(), ...this.pendingHeads.keys()]) this.end(fd, 'head')
    for (const fd of this.lingering.keys()) this.end(fd, 'lingering')
    this.counts.closed += this.early.size + this.fresh.size + this.pendingHeads.size
    this.counts.waiting = this.counts.lingering = 0
    this.early.clear()
    this.fresh.clear()
    this.pendingHeads.clear()
    this.lingering.clear()
  }

  readmit({ fd, tag }: Connection): Arrival | undefined {
    const socket = this.held.get(fd)
    if (socket === undefined || socket.gone) return this.remove(fd)
    socket.reattach()
    // Who waits is watched: it may leave.
    socket.watch()
    return this.examine(socket, listenerOf(tag))
  }

  refuse(fd: number, reason: RefusalReason, retryAfterS?: number): void {
    this.counts.refused[reason]++
    const socket = this.held.get(fd)
    if (socket === undefined || socket.gone) return this.end(fd, 'dispatcher')
    socket.answer(refusalAnswer(reason, retryAfterS))
    this.held.owners?.move(fd, 'dispatcher', 'lingering')
    this.lingering.set(fd, performance.now())
    this.counts.lingering++
    this.startSweeper()
  }

  watchHangUp(fd: number): void {
    this.watchedForHangUp.add(fd)
    this.held.get(fd)?.watch()
    // Perhaps it has left already; the caller is told later in any case.
    setImmediate(() => this.checkHangUp(fd))
  }

  unwatchHangUp(fd: number): void {
    this.watchedForHangUp.delete(fd)
  }

  /** Node accepts as it likes. */
  holdOff(_ms: number): void {}

  drop(fd: number): void {
    this.counts.closed++
    this.end(fd, 'dispatcher')
  }

  private end(fd: number, owner: Owner): void {
    this.held.owners?.move(fd, owner, 'none')
    this.held.close(fd)
  }

  private onConnection(socket: Socket, listener: number): void {
    this.counts.accepted++
    const { fd, descriptor } = this.held.add(socket, this.onSocketEvent)
    this.held.owners?.move(fd, 'none', 'dispatcher')
    if (descriptor >= this.lastDescriptor) this.pause(`${this.lastDescriptor} descriptors are in use`)
    if (this.paused !== undefined && descriptor >= this.lastDescriptor) this.turnAway(fd)
    else if (this.accepting && this.listeners.get(listener)?.isAdmitted === true) {
      this.admit(fd, listener)
      this.options.onBatchEnd()
    } else if (this.early.size >= this.options.maxUnrouted) this.turnAway(fd)
    else {
      this.counts.waiting++
      this.held.owners?.move(fd, 'dispatcher', 'early')
      this.early.set(fd, listener)
    }
  }

  private admit(fd: number, listener: number): void {
    const socket = this.held.get(fd) as HeldSocket
    if (socket.gone) return this.drop(fd)
    if (this.listeners.get(listener)?.peek !== true) this.arrive(this.arrival(socket, packTag(listener, false), RequestHead.addressOnly()))
    else {
      this.counts.waiting++
      this.held.owners?.move(fd, 'dispatcher', 'head')
      this.fresh.set(fd, { listener, sinceMs: performance.now() })
      this.startSweeper()
    }
    socket.read()
  }

  /** There is no descriptor to answer it at leisure. */
  private turnAway(fd: number): void {
    this.refuse(fd, 'too-many-unrouted')
    this.endLingering(fd)
  }

  private readonly onSocketEvent = (fd: number): void => {
    const socket = this.held.get(fd)
    if (socket === undefined) return
    const listener = this.fresh.get(fd)?.listener ?? this.pendingHeads.listenerOf(fd)
    if (listener !== undefined) {
      this.arrive(this.examine(socket, listener))
      this.options.onBatchEnd()
    } else if (this.watchedForHangUp.has(fd)) this.checkHangUp(fd)
    else if (socket.gone) {
      if (this.lingering.has(fd)) this.endLingering(fd)
      else if (this.early.delete(fd)) {
        this.counts.waiting--
        this.held.owners?.move(fd, 'early', 'dispatcher')
        this.drop(fd)
      }
    }
  }

  private checkHangUp(fd: number): void {
    const socket = this.held.get(fd)
    if ((socket === undefined || socket.gone || socket.ended) && this.watchedForHangUp.delete(fd)) this.options.onHangUp(fd)
  }

  private arrive(arrival: Arrival | undefined): void {
    if (arrival !== undefined) this.options.onArrival(arrival)
  }

  /** One look at what has come so far. */
  private examine(socket: HeldSocket, listener: number): Arrival | undefined {
    const { fd, bytes, ended } = socket
    if (socket.gone) return this.remove(fd)
    if (this.listeners.get(listener)?.peek !== true) return this.arrival(socket, packTag(listener, false), RequestHead.addressOnly())
    if (bytes.length === 0) return ended ? this.remove(fd) : this.wait(socket, listener, performance.now())
    const head = RequestHead.read(bytes, bytes.length, this.maxHeadBytes)
    const look = headState(head, ended)
    if (look === 'head' || look === 'protocol') return this.arrival(socket, packTag(listener, look === 'head'), head)
    if (look === 'head-too-large' && this.passesLonger) return this.arrival(socket, packTag(listener, false), RequestHead.addressOnly())
    if (look === 'wait') return this.wait(socket, listener, performance.now())
    if (look === 'leave') return this.remove(fd)
    return this.refusePending(fd, look)
  }

  private arrival(socket: HeldSocket, tag: number, head: RequestHead): Arrival {
    this.forget(socket.fd)
    head.setAddressSource(socket)
    return { fd: socket.fd, tag, head, carried: undefined }
  }

  private wait(socket: HeldSocket, listener: number, sinceMs: number): undefined {
    const { fd } = socket
    if (!this.pendingHeads.has(fd)) {
      this.forget(fd)
      const address = socket.remoteAddress ?? ''
      const refusal = this.pendingHeads.refusal(address)
      if (refusal !== undefined) {
        this.refuse(fd, refusal)
        return
      }
      this.held.owners?.move(fd, 'dispatcher', 'head')
      this.pendingHeads.add(fd, listener, address, sinceMs)
      this.counts.waiting++
      this.startSweeper()
    }
    socket.read()
  }

  private refusePending(fd: number, reason: RefusalReason): undefined {
    this.forget(fd)
    this.refuse(fd, reason)
  }

  private remove(fd: number): undefined {
    this.forget(fd)
    this.drop(fd)
  }

  private forget(fd: number): void {
    if (!this.fresh.delete(fd) && !this.pendingHeads.delete(fd)) return
    this.held.owners?.move(fd, 'head', 'dispatcher')
    this.counts.waiting--
  }

  private endLingering(fd: number): void {
    if (!this.lingering.delete(fd)) return
    this.counts.lingering--
    this.end(fd, 'lingering')
  }

  private startSweeper(): void {
    this.sweeper ??= setInterval(() => this.sweep(), SWEEP_MS)
  }

  private sweep(): void {
    const now = performance.now()
    for (const [fd, { listener, sinceMs }] of this.fresh) {
      if (now - sinceMs < FRESH_MS) break
      this.wait(this.held.get(fd) as HeldSocket, listener, sinceMs)
    }
    for (const fd of this.pendingHeads.expired(now)) this.refusePending(fd, 'head-timeout')
    for (const [fd, sinceMs] of this.lingering) {
      if (now - sinceMs < this.options.lingerTimeoutMs) break
      this.endLingering(fd)
    }
    if (this.fresh.size > 0 || this.pendingHeads.size > 0 || this.lingering.size > 0) return
    clearInterval(this.sweeper)
    this.sweeper = undefined
  }

  /** Node can't leave clients in the kernel: while it lasts, whoever comes without a descriptor to spare is turned away. */
  private pause(said: string): void {
    if (this.paused !== undefined || !this.accepting) return
    this.options.onPause?.(said)
    this.paused = setInterval(() => {
      if (nextDescriptor() >= this.lastDescriptor) return
      clearInterval(this.paused)
      this.paused = undefined
      this.options.onPause?.(undefined)
    }, PAUSE_MS)
  }
}

/**
 * A name beside `path` for a socket that is to have that path. Node removes the file of the name that it bound when it closes the socket, and another
 * process may listen on by then. Throws EADDRINUSE when somebody answers at `path`.
 */
function firstName(path: string): string {
  if (existsSync(path)) throw Object.assign(new Error(`listen EADDRINUSE: address already in use ${path}`), { code: 'EADDRINUSE' })
  const name = join(dirname(path), `.${randomBytes(4).toString('hex')}`)
  return Buffer.byteLength(name) > MAX_PATH_BYTES ? path : name
}

function closeOne({ server, inherited }: Listener): void {
  if (inherited !== undefined && server?.listening === false) closeSync(inherited.fd)
  else server?.close()
}
