// The acceptor over Node's net.Server: it really reads the bytes of a head, and they travel with the hand-off.

import { createServer, type Server, type Socket } from 'node:net'
import { RequestHead } from '@switchyard/routing'
import { descriptorLimit, nextDescriptor } from '../acceptor/accept-pause.ts'
import type { Acceptor, AcceptorOptions, Arrival } from '../acceptor/acceptor.ts'
import { type AddressSource, BaseAcceptor } from '../acceptor/base-acceptor.ts'
import {
  type BoundListener,
  DEFAULT_BACKLOG,
  type InheritedListener,
  isAbstract,
  type ListenerAddress,
  removeStale,
} from '../acceptor/listener.ts'
import type { Connection } from '../channel.ts'
import type { HeldSocket, HeldSockets } from '../node-internals/held-socket.ts'
import { listenerOf, packTag } from '../tag.ts'
import { closeServer, descriptorOf, openAtPath, openServer, type PortableListener } from './portable-listener.ts'

/** Bounds on pending heads count from here: the first bytes of a new connection are usually on their way. */
const FRESH_MS = 100
const NO_BYTES = Buffer.alloc(0)

interface Fresh {
  readonly listener: number
  readonly sinceMs: number
}

export class PortableAcceptor extends BaseAcceptor<PortableListener> implements Acceptor {
  /** No connection comes back from a worker of this transport. */
  readonly restingCount = 0
  private readonly held: HeldSockets
  /** Accepted before `accept()` or `acceptOn()`, with the number of the listener: Node accepts as soon as it listens. */
  private readonly early = new Map<number, number>()
  private readonly fresh = new Map<number, Fresh>()
  /** See `watchHangUp`. */
  private readonly watchedForHangUp = new Set<number>()
  private closed = false

  /** `held`: shared with the channels. */
  constructor(options: AcceptorOptions, held: HeldSockets) {
    super(options, held.owners, { limit: descriptorLimit(), next: nextDescriptor })
    this.held = held
  }

  async listen(address: ListenerAddress, inherited?: InheritedListener): Promise<BoundListener> {
    const { host, port = 0, path, ipv6Only = false, backlog = DEFAULT_BACKLOG, peek = true, reusePort = false, mode } = address
    if (path !== undefined && !isAbstract(path) && inherited === undefined) await removeStale(path)
    if (this.closed) return { host, port, path, number: -1 }
    const server = this.serverFor(() => number)
    const number = this.listeners.add({ server, peek, protocol: address.protocol, inherited, isAdmitted: false })
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
    closeServer(listener)
    listener.server = server
    listener.inherited = undefined
  }

  private serverFor(number: () => number): Server {
    const options = { pauseOnConnect: true, allowHalfOpen: true, noDelay: true }
    return createServer(options, (socket) => this.onConnection(socket, number()))
  }

  private openAt(server: Server, path: string, backlog: number, mode: number | undefined): Promise<void> {
    return openAtPath(path, mode, async (first) => {
      await this.open(server, { path: first, backlog })
      return !this.closed
    })
  }

  private open(server: Server, where: Parameters<typeof openServer>[1]): Promise<void> {
    return openServer(server, where, ({ errno }) => this.pauseAccepting(errno))
  }

  addForeign(peek: boolean): number {
    return this.listeners.add({ server: undefined, peek, inherited: undefined, isAdmitted: false })
  }

  get listening(): { number: number; fd: number }[] {
    if (this.closed) return []
    return this.listeners.all.flatMap(([number, listener]) => {
      const fd = descriptorOf(listener)
      return fd === undefined ? [] : [{ number, fd }]
    })
  }

  accept(): void {
    this.accepting = true
    for (const number of this.listeners.numbers) this.acceptOn(number)
  }

  acceptOn(number: number): void {
    const listener = this.listeners.get(number)
    if (listener === undefined) return
    listener.isAdmitted = true
    if (!this.accepting) return
    const { server, inherited } = listener
    if (server !== undefined && inherited !== undefined && !server.listening)
      this.open(server, { fd: inherited.fd }).catch(({ message }: Error) => this.options.onPause?.(message))
    for (const fd of this.earlyOf(number)) this.admit(fd, number)
    this.listener.onBatchEnd()
  }

  closeListener(number: number): void {
    const listener = this.listeners.get(number)
    if (listener === undefined) return
    this.listeners.delete(number)
    closeServer(listener)
    for (const fd of this.earlyOf(number)) this.drop(fd)
  }

  closeListeners(): void {
    this.pause.stop()
    this.accepting = false
    if (this.closed) return
    this.closed = true
    for (const [, listener] of this.listeners.all) closeServer(listener)
  }

  /** A worker of this transport gives nothing back. */
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
    for (const fd of this.early.keys()) this.end(fd, 'early')
    for (const fd of this.fresh.keys()) this.end(fd, 'head')
    this.counts.closed += this.early.size + this.fresh.size
    this.early.clear()
    this.fresh.clear()
    this.closeWaiting()
  }

  readmit({ fd, tag }: Connection): Arrival | undefined {
    const socket = this.held.get(fd)
    if (socket === undefined || socket.isBroken) return this.remove(fd)
    socket.reattach()
    // A connection in the queue is read on, to see when its client hangs up.
    socket.watch()
    return this.examineHeld(socket, listenerOf(tag))
  }

  private examineHeld({ fd, bytes, ended, isBroken }: HeldSocket, listener: number): Arrival | undefined {
    return isBroken ? this.remove(fd) : this.examine(fd, listener, bytes, bytes.length, ended)
  }

  watchHangUp(fd: number): void {
    this.watchedForHangUp.add(fd)
    this.held.get(fd)?.watch()
    // The client may have hung up before. The caller expects the callback after this call in any case.
    setImmediate(() => this.checkHangUp(fd))
  }

  unwatchHangUp(fd: number): void {
    this.watchedForHangUp.delete(fd)
  }

  /** Node decides when it accepts. */
  holdOff(_ms: number): void {}

  protected closeConnection(fd: number): void {
    this.held.close(fd)
  }

  protected answer(fd: number, bytes: Buffer): boolean {
    const socket = this.held.get(fd)
    if (socket === undefined || socket.isBroken) return false
    socket.answer(bytes)
    return true
  }

  protected addressSource(fd: number): AddressSource {
    return this.held.get(fd) as HeldSocket
  }

  protected bytesOf(fd: number): Buffer {
    return this.held.get(fd)?.bytes ?? NO_BYTES
  }

  private onConnection(socket: Socket, listener: number): void {
    this.counts.accepted++
    const { fd, descriptor } = this.held.add(socket, this.onSocketEvent)
    this.owners?.move(fd, 'none', 'dispatcher')
    const isShort = descriptor >= this.lastDescriptor
    if (isShort) this.pauseAccepting(undefined)
    if (isShort && this.pause.isPaused) this.turnAway(fd)
    else if (this.accepting && this.listeners.get(listener)?.isAdmitted === true) {
      this.admit(fd, listener)
      this.listener.onBatchEnd()
    } else if (this.early.size >= this.options.maxUnrouted) this.turnAway(fd)
    else {
      this.counts.waiting++
      this.owners?.move(fd, 'dispatcher', 'early')
      this.early.set(fd, listener)
    }
  }

  /** Removes the early connections of a listener and returns them. */
  private earlyOf(listener: number): number[] {
    const fds = [...this.early].flatMap(([fd, from]) => (from === listener ? [fd] : []))
    for (const fd of fds) this.removeEarly(fd)
    return fds
  }

  private removeEarly(fd: number): void {
    this.early.delete(fd)
    this.counts.waiting--
    this.owners?.move(fd, 'early', 'dispatcher')
  }

  private admit(fd: number, listener: number): void {
    const socket = this.held.get(fd) as HeldSocket
    if (socket.isBroken) return this.drop(fd)
    if (this.listeners.protocolOf(listener) === 'tcp') this.arrive(this.arrival(fd, packTag(listener, false), RequestHead.addressOnly()))
    else {
      this.counts.waiting++
      this.owners?.move(fd, 'dispatcher', 'head')
      this.fresh.set(fd, { listener, sinceMs: performance.now() })
      this.startSweeper()
    }
    socket.read()
  }

  /** Refuses and closes at once: no descriptor is left to linger with. */
  private turnAway(fd: number): void {
    this.refuse(fd, 'too-many-unrouted')
    this.endLingering(fd)
  }

  private readonly onSocketEvent = (fd: number): void => {
    const socket = this.held.get(fd)
    if (socket === undefined) return
    const listener = this.fresh.get(fd)?.listener ?? this.pendingHeads.listenerOf(fd)
    if (listener !== undefined) {
      this.arrive(this.examineHeld(socket, listener))
      this.listener.onBatchEnd()
    } else if (this.watchedForHangUp.has(fd)) this.checkHangUp(fd)
    else if (socket.isBroken) {
      if (this.lingering.has(fd)) this.endLingering(fd)
      else if (this.early.has(fd)) {
        this.removeEarly(fd)
        this.drop(fd)
      }
    }
  }

  private checkHangUp(fd: number): void {
    const socket = this.held.get(fd)
    if ((socket === undefined || socket.isBroken || socket.ended) && this.watchedForHangUp.delete(fd)) this.listener.onHangUp(fd)
  }

  protected wait(fd: number, listener: number): undefined {
    this.keepWaiting(fd, listener, performance.now())
  }

  private keepWaiting(fd: number, listener: number, sinceMs: number): void {
    const socket = this.held.get(fd) as HeldSocket
    if (!this.pendingHeads.has(fd)) {
      this.forget(fd)
      if (!this.addPending(fd, listener, socket.remoteAddress ?? '', sinceMs)) return
    }
    socket.read()
  }

  protected removePending(fd: number): boolean {
    return this.fresh.delete(fd) || this.pendingHeads.delete(fd)
  }

  protected sweepOwn(nowMs: number): boolean {
    for (const [fd, { listener, sinceMs }] of this.fresh) {
      if (nowMs - sinceMs < FRESH_MS) break
      this.keepWaiting(fd, listener, sinceMs)
    }
    return this.fresh.size > 0
  }

  /** Node cannot leave clients in the kernel: during a pause, a client whose descriptor is beyond the bound is turned away. */
  private pauseAccepting(errno: number | undefined): void {
    if (this.accepting && !this.pause.isPaused) this.pause.start(errno)
  }
}
