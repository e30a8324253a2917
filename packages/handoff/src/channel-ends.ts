// The descriptors with which a worker is started and by which it opens its end of the channel.

export interface NativeEnds {
  readonly kind: 'native'
  readonly socket: number
  readonly memory: number
  readonly window: number
  /** A pipe for everything but hand-offs and questions, in both directions. */
  readonly control: number
}

export interface PortableEnds {
  readonly kind: 'portable'
  /** A pipe for everything but hand-offs and claims, in both directions. */
  readonly control: number
  /** A pipe for claim records, to the primary. */
  readonly claims: number
}

export type ChannelEnds = NativeEnds | PortableEnds

/** The name of the channel, the same in the primary and the worker. */
export type ChannelKind = ChannelEnds['kind']

/** The first descriptor of the ends in the worker, behind stdin, stdout, stderr and IPC. */
export const FIRST_END_FD = 4
