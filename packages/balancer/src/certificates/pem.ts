// Reads PEM files of bounded size: the blocks in them, and what is wrong with a file, with what to do.

import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'

/** A chain of certificates takes a few KiB. */
const MAX_BYTES = 256 * 1024

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*(?:-(?!----)[^-]*)*-----END \1-----/g

export interface PemBlock {
  readonly label: string
  /** With its first and last line. */
  readonly text: string
}

/** A value, or why there is none. */
export type Outcome<T> = { readonly value: T; readonly fault?: undefined } | { readonly fault: string; readonly value?: undefined }

/** The bytes of a regular file. */
export function readBytes(path: string, maxBytes = MAX_BYTES): Outcome<Buffer> {
  let fd: number | undefined
  try {
    // A pipe in the place of the file must not block the primary.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stats = fstatSync(fd)
    if (!stats.isFile()) return { fault: `${path} is no file` }
    if (stats.size > maxBytes) return { fault: `${path} has ${stats.size} bytes, more than ${maxBytes}` }
    return { value: readFileSync(fd) }
  } catch (error) {
    return { fault: unreadable(path, error as NodeJS.ErrnoException) }
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

export function unreadable(path: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT' || code === 'ENOTDIR') return `there is no ${path}`
  if (code === 'EACCES' || code === 'EPERM')
    return `${path} can't be read by user ${process.getuid?.() ?? '?'}: give that user the right to read it, or start the balancer as one that has it`
  return `${path} can't be read: ${message}`
}

/** The blocks of a PEM file, at least one. */
export function readPem(path: string): Outcome<readonly PemBlock[]> {
  const { value, fault } = readBytes(path)
  if (fault !== undefined) return { fault }
  const blocks = [...value.toString('latin1').matchAll(BLOCK)].map(([text, label]) => ({ label: label ?? '', text: `${text}\n` }))
  if (blocks.length > 0) return { value: blocks }
  if (value.length === 0) return { fault: `${path} is empty` }
  // A DER file begins with a SEQUENCE.
  const advice =
    value[0] === 0x30 ? `: it looks like DER, and 'openssl x509 -inform der -in ${path} -out FILE.pem' converts a certificate` : ''
  return { fault: `${path} is no PEM file${advice}` }
}
