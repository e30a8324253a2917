// What a worker must know to open its end of the channel: the numbers of the descriptors that it was started with.

export interface NativeEnds {
  readonly kind: 'native'
  readonly socket: number
  readonly memory: number
  readonly window: number
  /** A pipe for everything but hand-offs and questions, both ways. */
  readonly control: number
}

export interface PortableEnds {
  readonly kind: 'portable'
  /** A pipe for everything but hand-offs, both ways. */
  readonly control: number
  /** A pipe for claims, to the primary. */
  readonly claims: number
}

export type ChannelEnds = NativeEnds | PortableEnds

/** Of both kinds: the name of the channel. */
export type ChannelKind = ChannelEnds['kind']

/** The first descriptor behind stdin, stdout, stderr and IPC: where the ends are in the worker. */
export const FIRST_END_FD = 4
