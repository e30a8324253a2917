// An acceptor with what it reported, and its clients, for the contracts of acceptors and listeners.

import { connect, type NetConnectOpts, type Socket } from 'node:net'
import type { ListenerProtocol } from '@switchyard/routing'
import { assert } from '../../../../test/suite.ts'
import { type Acceptor, type AcceptorOptions, isHeadComplete, type Transport } from '../../src/index.ts'
import { LIMITS } from '../contract-worker.ts'

export interface Arrived {
  readonly fd: number
  readonly tag: number
  readonly target: string
  readonly address: string | undefined
  readonly isComplete: boolean
  /** In its ClientHello. */
  readonly serverName: string | undefined
}

export interface OpenAcceptor {
  readonly acceptor: Acceptor
  readonly arrivals: Arrived[]
  readonly hungUp: number[]
  readonly where: NetConnectOpts
}

/** Opens an acceptor for `body`, and checks that it has accounted for every connection. */
export async function withAcceptor(
  transport: Transport,
  more: Partial<AcceptorOptions> & { early?: boolean; peek?: boolean; protocol?: ListenerProtocol },
  body: (opened: OpenAcceptor) => Promise<void>,
) {
  const arrivals: Arrived[] = []
  const hungUp: number[] = []
  const { early = false, peek = true, protocol, ...limits } = more
  const acceptor = transport.openAcceptor({ ...LIMITS, ...limits })
  acceptor.start({
    onArrival({ fd, tag, head }) {
      const { target = '', remoteAddress: address, hello } = head
      arrivals.push({ fd, tag, target, address, isComplete: isHeadComplete(tag), serverName: hello?.serverName })
    },
    onHangUp: (fd) => hungUp.push(fd),
    onBatchEnd() {},
  })
  const { port } = await acceptor.listen({ host: '127.0.0.1', port: 0, peek, protocol })
  if (!early) acceptor.accept()
  try {
    await body({ acceptor, arrivals, hungUp, where: { port: port as number, host: '127.0.0.1' } })
    const { accepted, givenBack, refused, answered, closed, waiting } = acceptor.counts
    const ended = Object.values(refused).reduce((sum, count) => sum + count, 0) + answered + closed + waiting
    assert.is(accepted + givenBack, ended, 'every connection is accounted for')
  } finally {
    acceptor.close()
  }
}

export function client(where: NetConnectOpts, first?: string | Uint8Array): { socket: Socket; answer: () => string } {
  const socket = connect({ allowHalfOpen: true, ...where })
  let answer = ''
  socket.on('data', (chunk) => {
    answer += chunk
  })
  socket.on('error', () => {})
  if (first !== undefined) socket.write(first)
  return { socket, answer: () => answer }
}

/** Closes the arrived connections and their clients. */
export function endAll(acceptor: Acceptor, arrivals: readonly Arrived[], clients: readonly { socket: Socket }[]): void {
  for (const { fd } of arrivals) acceptor.drop(fd)
  for (const { socket } of clients) socket.destroy()
}
