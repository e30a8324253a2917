// Formats values for people: durations, byte counts, numbers of things, addresses, paths and tables.

import { basename, relative } from 'node:path'
import { formatAddress, parseHostPort } from '../config/listen-options.ts'
import { duration } from '../duration.ts'

export { duration } from '../duration.ts'

/** `0 MiB`, `81 MiB`, `1.4 GiB`. */
export function memory(bytes: number): string {
  const mebibytes = bytes / 1024 ** 2
  return mebibytes < 1024 ? `${Math.round(mebibytes)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`
}

/** `1 worker`, `2 workers`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** What a draining worker has to finish, and how long it may take: `2 connections, 1 request; at most 20 s more`. */
export function draining(connections: number, inFlight: number, leftMs: number): string {
  if (connections === 0 && inFlight === 0) return 'nothing left to finish'
  const wholeSecondsMs = Math.ceil(leftMs / 1000) * 1000
  return `${counted(connections, 'connection')}, ${counted(inFlight, 'request')}; at most ${duration(wholeSecondsMs)} more`
}

/** Addresses as a browser takes them, with localhost for all interfaces. The path of a unix socket stays as it is. */
export function urlsOf({
  addresses,
  tlsAddresses = [],
}: {
  addresses: readonly string[]
  tlsAddresses?: readonly string[] | undefined
}): string[] {
  return addresses.map((address) => urlOf(address, tlsAddresses.includes(address)))
}

function urlOf(address: string, isTls: boolean): string {
  const parsed = parseHostPort(address)
  if ('fault' in parsed) return address
  const { host, port } = parsed.value
  return `${isTls ? 'https' : 'http'}://${formatAddress({ host: host === undefined || host === '::' || host === '0.0.0.0' ? 'localhost' : host, port })}`
}

/** A path below the folder is relative to it; any other path stays as it is. */
export function pathFrom(folder: string, path: string): string {
  const below = relative(folder, path)
  return below === '' ? basename(path) : below.startsWith('..') ? path : below
}

/** Lines of a table with padded columns. The last column is not padded. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd((widths[column] ?? 0) + 2)))
        .join('')
        .trimEnd(),
    )
    .join('\n')
}

/** What `balancer explain` says of streams of HTTP/2. */
export function spreadLine({ isOn, why }: { readonly isOn: boolean; readonly why: string }): string {
  return isOn
    ? `yes, ${why}: a stream of HTTP/2 that keeps the event loop busy goes to the worker with the fewest requests`
    : `no, ${why}: a busy worker keeps the streams of its connections`
}
