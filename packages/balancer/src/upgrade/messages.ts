// What an old primary and its successor say to each other over a pipe, one sentence each. The old one began the new one, so they trust each other;
// but they may be of different versions.

import type { BoundAddress } from '@switchyard/handoff'

/** Tells a successor which descriptor its pipe is. */
export const UPGRADE_VARIABLE = 'SWITCHYARD_UPGRADE'

/** Raised when an older successor or predecessor would misunderstand. */
export const PROTOCOL_VERSION = 1

/** A socket that listens, among the descriptors that the successor was started with. */
export interface TransferredSocket extends BoundAddress {
  readonly fd: number
  readonly ipv6Only: boolean
  /** The port that was asked for; 0: the kernel chose. */
  readonly askedPort: number | undefined
  /** Of the listener at the old primary's door; left out: it is another one's, such as the admin page's. */
  readonly number?: number | undefined
  /** It is a service manager's. */
  readonly isManaged: boolean
  /** A server of the app has asked for it, and the config does not name it. */
  readonly isOfApp?: boolean | undefined
}

/** What lives on. */
export interface HandedOver {
  /** Ports of servers that asked for any, see FreePorts; left out: none. */
  readonly freePorts?: Readonly<Record<string, number>> | undefined
  /** Keys that the old primary made itself, since no secret was configured; the secrets in base64. */
  readonly ticketKeys: readonly { readonly id: number; readonly secret: string }[]
  /** Of each pool: no ticket of an older generation is one of the successor's. */
  readonly generations: Readonly<Record<string, number>>
  /** Numbers of workers that `scale` has changed. */
  readonly workers: Readonly<Record<string, number>>
}

/** Everything that a successor starts from. */
export interface StartMessage extends HandedOver {
  readonly version: number
  readonly pid: number
  readonly sockets: readonly TransferredSocket[]
  /** Descriptor of the passage for connections; left out: there is none. */
  readonly passage?: number | undefined
  /** Of the old primary's listeners, by number: is the head looked at? */
  readonly peeks: Readonly<Record<number, boolean>>
}

/** Old primary to successor. */
export type ToNewPrimary =
  /** First of all. */
  | { readonly talk: 'bequest'; readonly bequest: StartMessage }
  /** What is in the old primary's memory; it comes in many of these before `go`, and later what changes, and what its workers ask. */
  | { readonly talk: 'heirloom'; readonly name: string; readonly entries: readonly object[] }
  /** Say `taken` when you have taken in what came before this. */
  | { readonly talk: 'copied' }
  /** Accept now. */
  | { readonly talk: 'go' }
  /** Whoever supervises the old primary has been told that you are the main process now. */
  | { readonly talk: 'yours' }
  /** No connection comes back from here any more; pass none. */
  | { readonly talk: 'leaving' }
  /** You are not wanted any more. */
  | { readonly talk: 'abandoned' }

/** Successor to old primary. */
export type ToOldPrimary =
  /** The config is read and the workers are being started, which may take so long. */
  | { readonly talk: 'starting'; readonly timeoutMs: number }
  /**
   * Every worker is ready and has stayed so. `takes`: connections may come over the passage. `heirlooms`: what of the old primary's memory is wanted, by
   * name; left out: nothing.
   */
  | { readonly talk: 'ready'; readonly workers: number; readonly takes: boolean; readonly heirlooms?: readonly string[] | undefined }
  /** Answers `copied`. */
  | { readonly talk: 'taken' }
  /** Answers what the old primary's workers have asked. */
  | { readonly talk: 'heirloom'; readonly name: string; readonly entries: readonly object[] }
  /** Connections are accepted. `taken`: numbers of the old primary's listeners that live on here. */
  | { readonly talk: 'serving'; readonly taken: readonly number[] }
  /** What goes with the balancer, such as its control socket, is taken over too. */
  | { readonly talk: 'settled' }
  /** This start has failed. */
  | { readonly talk: 'failed'; readonly message: string }
  /** Answers `leaving`: nothing comes over the passage any more. */
  | { readonly talk: 'closed' }

type Talk<T extends { talk: string }> = { [Kind in T['talk']]: Extract<T, { talk: Kind }> }
export type NewPrimaryMessages = Talk<ToNewPrimary>
export type OldPrimaryMessages = Talk<ToOldPrimary>
