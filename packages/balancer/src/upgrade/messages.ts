// The messages that an old and a new primary exchange over a pipe. The two may be of different versions, so the words on the wire never change;
// this file alone knows them.

import type { TransferredSocket } from '../listeners/inherited-sockets.ts'
import type { HandedOverSecrets } from '../tls-tickets/ticket-secrets.ts'

/** Tells a new primary which descriptor its pipe is. */
export const UPGRADE_VARIABLE = 'SWITCHYARD_UPGRADE'

/** Raise it when a primary of an older version would misunderstand a message. */
export const PROTOCOL_VERSION = 1

/** What the new primary continues with. */
export interface HandedOver {
  /** Ports of servers that asked for any, see FreePorts; left out: none. */
  readonly freePorts?: Readonly<Record<string, number>> | undefined
  /** Keys that the old primary made because no secret is configured; the secrets in base64. */
  readonly ticketKeys: readonly { readonly id: number; readonly secret: string }[]
  /** Of TLS session tickets; left out: there are none. */
  readonly tlsTickets?: HandedOverSecrets | undefined
  /** First generation of each pool in the new primary. Tickets of a lower generation name a worker of the old primary. */
  readonly generations: Readonly<Record<string, number>>
  /** Worker counts that `scale` has changed, by pool. */
  readonly workers: Readonly<Record<string, number>>
}

/** Everything that a new primary starts from. */
export interface StartMessage extends HandedOver {
  readonly version: number
  readonly pid: number
  readonly sockets: readonly TransferredSocket[]
  /** Descriptor over which connections are passed; left out: there is none. */
  readonly passage?: number | undefined
  /** Does the old primary read what a proxy said of the client of a passed connection? Left out: no, it is of an older version. */
  readonly readsProxied?: boolean | undefined
  /** By the old primary's listener number: is the head peeked at? */
  readonly peeks: Readonly<Record<number, boolean>>
}

/** Entries of a `StateTransfer`: the copy before `accept`, then changes, and commands of old workers with their answers. */
interface StateMessage {
  readonly kind: 'state'
  readonly name: string
  readonly entries: readonly object[]
}

/** Old primary to new primary. */
export type ToNewPrimary =
  /** Always the first. */
  | { readonly kind: 'start'; readonly startMessage: StartMessage }
  | StateMessage
  /** The copy is complete. Answered by `stateReceived`. */
  | { readonly kind: 'stateSent' }
  /** Accept connections now. */
  | { readonly kind: 'accept' }
  /** The service manager has been told that the new primary is the main process. */
  | { readonly kind: 'mainProcess' }
  /** The old primary has no workers left. It passes no more connections and must be passed none. */
  | { readonly kind: 'drained' }
  /** The upgrade is cancelled. */
  | { readonly kind: 'cancelled' }

/** New primary to old primary. */
export type ToOldPrimary =
  /** The config is read. Starting the workers takes `timeoutMs` at most. */
  | { readonly kind: 'starting'; readonly timeoutMs: number }
  /**
   * The workers have passed the startup check. `isPassing`: connections may be passed. `transfers`: names of the state to send; left out: none.
   * `readsProxied`: as in the start message.
   */
  | {
      readonly kind: 'ready'
      readonly workers: number
      readonly isPassing: boolean
      readonly transfers?: readonly string[] | undefined
      readonly readsProxied?: boolean | undefined
    }
  /** Answers `stateSent`. */
  | { readonly kind: 'stateReceived' }
  | StateMessage
  /** Connections are accepted. `listeners`: the old primary's numbers of the listeners that the new primary keeps. */
  | { readonly kind: 'serving'; readonly listeners: readonly number[] }
  /** The control socket and the rest of the command line's parts are taken over too. */
  | { readonly kind: 'settled' }
  /** The start has failed. */
  | { readonly kind: 'failed'; readonly message: string }
  /** Answers `drained`: no more connections are passed. */
  | { readonly kind: 'closed' }

export type NewPrimaryMessage<Kind extends ToNewPrimary['kind']> = Extract<ToNewPrimary, { kind: Kind }>
export type OldPrimaryMessage<Kind extends ToOldPrimary['kind']> = Extract<ToOldPrimary, { kind: Kind }>

/** Fields and kinds whose word on the wire differs. */
const WIRE_FIELDS: Readonly<Record<string, string>> = {
  kind: 'talk',
  startMessage: 'bequest',
  isPassing: 'takes',
  transfers: 'heirlooms',
  listeners: 'taken',
}
const WIRE_KINDS: Readonly<Record<string, string>> = {
  start: 'bequest',
  state: 'heirloom',
  stateSent: 'copied',
  stateReceived: 'taken',
  accept: 'go',
  mainProcess: 'yours',
  drained: 'leaving',
  cancelled: 'abandoned',
}
const FIELDS = inverse(WIRE_FIELDS)
const KINDS = inverse(WIRE_KINDS)

/** The message as it is written to the pipe. */
export function toWire(message: ToNewPrimary | ToOldPrimary): object {
  return renamed({ ...message, kind: WIRE_KINDS[message.kind] ?? message.kind }, WIRE_FIELDS)
}

/** A frame of the pipe as a message. The other side started this process or was started by it, so its fields are not checked. */
export function fromWire(frame: object): ToNewPrimary | ToOldPrimary {
  const message = renamed(frame, FIELDS) as { kind: string }
  return { ...message, kind: KINDS[message.kind] ?? message.kind } as ToNewPrimary | ToOldPrimary
}

function renamed(fields: object, names: Readonly<Record<string, string>>): object {
  return Object.fromEntries(Object.entries(fields).map(([field, value]) => [names[field] ?? field, value]))
}

function inverse(names: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(names).map(([name, wire]) => [wire, name]))
}
