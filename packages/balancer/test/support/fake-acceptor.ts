// An acceptor without sockets: a test makes connections arrive, and sees what becomes of them.

import type { Acceptor, AcceptorListener, Arrival, Connection, Owners, RefusalReason } from '@switchyard/handoff'
import { RequestHead } from '@switchyard/routing'

export type FakeAcceptor = Pick<Acceptor, 'receiveBack' | 'readmit' | 'refuse' | 'holdOff' | 'watchHangUp' | 'unwatchHangUp' | 'drop'> & {
  /** Connections arrive in one batch. Returns their descriptors. */
  arrive(...targets: string[]): number[]
  /** One connection arrives from this address. */
  arriveFrom(address: string, target?: string): number
  /** A connection that a worker is about to give back, with a new descriptor. */
  fromWorker(target: string): Connection
  /** A client hangs up. */
  hangUp(fd: number): void
  readonly refused: { readonly fd: number; readonly reason: RefusalReason }[]
  readonly dropped: number[]
  /** Descriptors whose clients are watched. */
  readonly watched: Set<number>
  accepted: number
  /** The last connection that arrived. */
  lastFd: number
  heldOff: number
}

export function fakeAcceptor(owners: Owners, listener: () => AcceptorListener): FakeAcceptor {
  const clients = new Map<number, { readonly target: string; readonly address: string }>()
  const gone = new Set<number>()

  function headOf(fd: number): RequestHead {
    const { target, address } = clients.get(fd) as { target: string; address: string }
    // As in a real acceptor, the head reads from a shared buffer.
    const bytes = Buffer.from(`GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`)
    const head = RequestHead.read(bytes, bytes.length, bytes.length)
    head.setAddressSource({ remoteAddress: address })
    return head
  }

  function enter(target: string, address: string): number {
    clients.set(++acceptor.lastFd, { target, address })
    return acceptor.lastFd
  }

  function accept(target: string, address: string): number {
    const fd = enter(target, address)
    owners.move(fd, 'none', 'dispatcher')
    acceptor.accepted++
    listener().onArrival({ fd, tag: 0, carried: undefined, head: headOf(fd) })
    return fd
  }

  function readmit({ fd, tag, carried }: Connection): Arrival | undefined {
    if (!gone.has(fd)) return { fd, tag, carried, head: headOf(fd) }
    acceptor.drop(fd)
    return undefined
  }

  const acceptor: FakeAcceptor = {
    accepted: 0,
    lastFd: 100,
    heldOff: 0,
    refused: [],
    dropped: [],
    watched: new Set(),
    arrive(...targets) {
      const fds = targets.map((target) => accept(target, '127.0.0.1'))
      listener().onBatchEnd()
      return fds
    },
    arriveFrom(address, target = '/') {
      const fd = accept(target, address)
      listener().onBatchEnd()
      return fd
    },
    fromWorker(target) {
      const fd = enter(target, '127.0.0.1')
      return { fd, tag: 0, carried: Buffer.from(`GET ${target} HTTP/1.1\r\n\r\n`) }
    },
    hangUp(fd) {
      gone.add(fd)
      if (acceptor.watched.has(fd)) listener().onHangUp(fd)
    },
    receiveBack: readmit,
    readmit,
    refuse(fd, reason) {
      owners.move(fd, 'dispatcher', 'none')
      acceptor.watched.delete(fd)
      acceptor.refused.push({ fd, reason })
    },
    drop(fd) {
      owners.move(fd, 'dispatcher', 'none')
      acceptor.watched.delete(fd)
      acceptor.dropped.push(fd)
    },
    holdOff() {
      acceptor.heldOff++
    },
    watchHangUp: (fd) => void acceptor.watched.add(fd),
    unwatchHangUp: (fd) => void acceptor.watched.delete(fd),
  }
  return acceptor
}
