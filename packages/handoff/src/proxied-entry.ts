// The form of a connection in the entries of a channel or a passage: what a proxy said of its client stands before its bytes, and a bit of the tag
// says so.

import { ProxiedClient } from './proxied-client.ts'
import { isProxied, withoutProxied, withProxied } from './tag.ts'

export interface Entry {
  readonly tag: number
  readonly bytes: Buffer | undefined
}

export interface UnpackedEntry {
  readonly tag: number
  readonly proxied: ProxiedClient | undefined
  /** The bytes behind; undefined: there are none. */
  readonly bytes: Buffer | undefined
}

/** The tag and the bytes to send. */
export function packEntry(tag: number, proxied: ProxiedClient | undefined, bytes: Buffer | undefined): Entry {
  if (proxied === undefined) return { tag, bytes }
  return { tag: withProxied(tag), bytes: bytes === undefined ? proxied.packed : Buffer.concat([proxied.packed, bytes]) }
}

/** The reverse of `packEntry`. `bytes` may belong to the result. undefined: they are malformed, for the sender is not trusted. */
export function unpackEntry(tag: number, bytes: Buffer): UnpackedEntry | undefined {
  if (!isProxied(tag)) return { tag, proxied: undefined, bytes: bytes.length === 0 ? undefined : bytes }
  const proxied = ProxiedClient.unpack(bytes)
  if (proxied === undefined) return undefined
  const { length } = proxied.packed
  return { tag: withoutProxied(tag), proxied, bytes: length === bytes.length ? undefined : bytes.subarray(length) }
}
