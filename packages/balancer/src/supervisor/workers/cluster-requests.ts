// Checks what a worker asks of node:cluster in the primary. There node:cluster opens the servers and UDP sockets that are not balanced, with the
// primary's rights, and trusts every field (lib/internal/cluster/primary.js). So each request is read, bounded and rebuilt first.

import { isIP } from 'node:net'
import { constants } from 'node:os'

/** Sockets that are open for one worker at a time. */
const MAX_OPEN = 64
const MAX_REQUESTS_PER_S = 100
const MAX_PATH_CHARS = 4096
const MAX_DATA_CHARS = 1024
const MAX_FLAGS = 2 ** 16
/** The first port that any user may bind by default. */
const FIRST_UNPRIVILEGED_PORT = 1024

const CLUSTER = 'NODE_CLUSTER'
const { EACCES, EADDRINUSE, EAGAIN, EBADF, EINVAL, EMFILE } = constants.errno

type Message = Record<string, unknown>

/**
 * What happens to a message. `deliver` goes to node:cluster, and `revise` edits its answer to the worker. `reply` answers the worker directly.
 * With neither, the message is dropped.
 */
export interface ClusterVerdict {
  readonly deliver?: Message
  readonly revise?: (answer: Message) => Message
  readonly reply?: Message
}

export interface ClusterRequestsOptions {
  /** Does the worker run as another user or group than the primary? Then it gets only what it could open itself. */
  readonly isOther: boolean
  /** In ms. */
  readonly now: () => number
}

/** The fields of a request that node:cluster reads. */
interface Query {
  readonly address: string | null
  readonly port: number | null
  readonly addressType: 4 | 6 | -1 | 'udp4' | 'udp6'
  readonly index: number
  readonly flags: number
}

/** The requests of one worker. */
export class ClusterRequests {
  private readonly options: ClusterRequestsOptions
  /** Sockets that node:cluster has opened for the worker: the identity of the request, by the key of node:cluster. */
  private readonly open = new Map<string, string>()
  private requests = 0
  private sinceMs: number

  constructor(options: ClusterRequestsOptions) {
    this.options = options
    this.sinceMs = options.now()
  }

  read(message: Message): ClusterVerdict {
    if (message.cmd !== CLUSTER || message.ack !== undefined) return {}
    const { act, seq, key } = message
    switch (act) {
      case 'online':
        return { deliver: { cmd: CLUSTER, act } }
      case 'exitedAfterDisconnect':
        return isCount(seq) ? { deliver: { cmd: CLUSTER, act, seq } } : {}
      case 'listening':
        return { deliver: { cmd: CLUSTER, act, ...plainAddress(message) } }
      case 'close':
        return typeof key === 'string' && this.open.delete(key) ? { deliver: { cmd: CLUSTER, act, key } } : {}
      case 'queryServer':
        return isCount(seq) ? this.query(message, seq) : {}
      default:
        return {}
    }
  }

  private query(message: Message, seq: number): ClusterVerdict {
    const own = ticketData(message)
    const refuse = (errno: number): ClusterVerdict => ({ reply: { cmd: CLUSTER, ack: seq, errno: -errno, key: '', data: own } })
    if (!this.isWithinRate()) return refuse(EAGAIN)
    // It would name a descriptor of the primary.
    if (isCount(message.fd)) return refuse(EBADF)
    const query = readQuery(message)
    if (query === undefined) return refuse(EINVAL)
    const { isOther } = this.options
    if (isOther && isPrivileged(query)) return refuse(EACCES)
    if (this.open.size >= MAX_OPEN) return refuse(EMFILE)
    // A second request for the same address would fail an assertion in node:cluster, or replace the first.
    if ([...this.open.values()].includes(identity(query))) return refuse(EADDRINUSE)
    return {
      // The keys of TLS session tickets, which node:cluster shares between the workers of a server. A worker of another user keeps its own.
      deliver: { cmd: CLUSTER, act: 'queryServer', seq, ...query, data: isOther ? null : own },
      revise: (answer) => {
        const { key, errno } = answer
        if (typeof key === 'string' && !errno) this.open.set(key, identity(query))
        return isOther ? { ...answer, data: own } : answer
      },
    }
  }

  private isWithinRate(): boolean {
    const now = this.options.now()
    if (now - this.sinceMs >= 1000) {
      this.sinceMs = now
      this.requests = 0
    }
    return ++this.requests <= MAX_REQUESTS_PER_S
  }
}

/** The keys of TLS session tickets of the worker's server. */
function ticketData({ data }: Message): Message | null {
  const { ticketKeys } = (data ?? {}) as { ticketKeys?: unknown }
  return typeof ticketKeys === 'string' && ticketKeys.length <= MAX_DATA_CHARS ? { ticketKeys } : null
}

/** Only port 0 may be requested several times, since each gets another port. */
function identity({ address, port, addressType, index }: Query): string {
  return JSON.stringify([address, port, addressType, port === 0 ? index : undefined])
}

function readQuery({ address = null, port = null, addressType, index, flags = 0 }: Message): Query | undefined {
  if (!isCount(index) || !isCount(flags) || flags >= MAX_FLAGS) return undefined
  switch (addressType) {
    case -1:
      return port === -1 && isPath(address) ? { address, port: -1, addressType, index, flags } : undefined
    case 4:
    case 6:
    case 'udp4':
    case 'udp6': {
      if (!isCount(port) || port > 65535) return undefined
      if (address !== null && (typeof address !== 'string' || isIP(withoutZone(address)) === 0)) return undefined
      return { address, port, addressType, index, flags }
    }
    default:
      return undefined
  }
}

function isPrivileged({ port, addressType }: Query): boolean {
  return addressType === -1 || (port !== null && port > 0 && port < FIRST_UNPRIVILEGED_PORT)
}

function isPath(address: unknown): address is string {
  return typeof address === 'string' && address !== '' && address.length <= MAX_PATH_CHARS
}

function withoutZone(address: string): string {
  return address.split('%', 1)[0] as string
}

function plainAddress({ address, port, addressType, fd }: Message): Message {
  const plain = (value: unknown): unknown =>
    typeof value === 'number' || (typeof value === 'string' && value.length <= 256) ? value : undefined
  return { address: plain(address), port: plain(port), addressType: plain(addressType), fd: plain(fd) }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
