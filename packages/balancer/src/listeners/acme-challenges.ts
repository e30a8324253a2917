// Answers HTTP-01 challenges (RFC 8555 §8.3) from a webroot folder, into which certbot, lego or acme.sh write them. So a renewal needs no other server.

import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import type { RequestHead } from '@switchyard/routing'
import { plainAnswer } from './plain-answer.ts'

const PREFIX = '/.well-known/acme-challenge/'
/** base64url; the RFC asks for 128 bits at least, and authorities use some 40 characters. */
const TOKEN = /^[\w-]{1,128}$/
/** A token, a dot and a thumbprint. */
const MAX_BYTES = 1024

const NOT_FOUND = '404 Not Found'
const MISSING = 'There is no such challenge.\n'

export class AcmeChallenges {
  /** The whole response; undefined: the request is none for a challenge. */
  answer(head: RequestHead, folder: string): Buffer | undefined {
    const { path, method } = head
    if (path === undefined || !path.startsWith(PREFIX) || (method !== 'GET' && method !== 'HEAD')) return undefined
    const token = path.slice(PREFIX.length)
    const found = TOKEN.test(token) ? read(folder, token) : undefined
    return found === undefined
      ? plainAnswer(NOT_FOUND, MISSING, [], method === 'HEAD')
      : plainAnswer('200 OK', found, [], method === 'HEAD')
  }
}

/** The content of a regular file of bounded size in the folder. A link as the last part, or one that leads out of the folder, counts as none. */
function read(folder: string, token: string): string | undefined {
  let fd: number | undefined
  try {
    const root = realpathSync(folder)
    const challenges = realpathSync(join(root, PREFIX))
    if (challenges !== join(root, PREFIX).replace(/\/$/, '')) return undefined
    fd = openSync(join(challenges, token), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const stats = fstatSync(fd)
    if (!stats.isFile() || stats.size > MAX_BYTES) return undefined
    const bytes = Buffer.alloc(MAX_BYTES)
    return bytes.toString('latin1', 0, readSync(fd, bytes, 0, MAX_BYTES, 0))
  } catch {
    return undefined
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}
