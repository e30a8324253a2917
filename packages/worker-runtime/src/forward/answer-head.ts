// Writes the head of a forwarded answer to the client. Node writes it exactly as the other worker's Node did, as if an app here had written it. It
// differs only where the client's connection differs from the one between the workers.

import type { IncomingMessage, InformationEvent, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { beforeNodeEncodes, isField } from './raw-fields.ts'

const NO_CONTENT = 204
const NOT_MODIFIED = 304
const CONTINUE = 100

/** Parts of Node that its types leave out. */
type Response = ServerResponse & { readonly maxRequestsOnConnectionReached?: boolean; readonly _sent100?: boolean }

interface Framing {
  hasLength: boolean
  isChunked: boolean
  hasDisposition: boolean
}

/** False: the body has no framing, so only the end of the connection tells the client where it ends. */
export function writeAnswerHead(answer: IncomingMessage, response: Response): boolean {
  const { statusCode = 0, statusMessage, rawHeaders } = answer
  const { hasLength, isChunked, hasDisposition } = framingOf(rawHeaders)
  // HTTP/1.0 knows no chunks.
  const chunks = response.useChunkedEncodingByDefault
  const ends = !response.shouldKeepAlive || response.maxRequestsOnConnectionReached === true || (!chunks && !hasLength)
  const fields = ends || (!chunks && isChunked) ? adapt(rawHeaders, ends, chunks) : rawHeaders
  // Node must not add fields that the other worker's Node has not written.
  response.sendDate = false
  response.removeHeader('Connection')
  response.removeHeader('Transfer-Encoding')
  response.writeHead(statusCode, statusMessage, (hasDisposition ? beforeNodeEncodes(fields) : fields) as string[])
  const hasBody = statusCode !== NO_CONTENT && statusCode !== NOT_MODIFIED && response.req.method !== 'HEAD'
  return hasLength || (isChunked && chunks) || !hasBody
}

/** Passes on an interim answer (1xx); 100 only once. */
export function writeInformation(information: InformationEvent, response: Response): void {
  const { statusCode, statusMessage, rawHeaders } = information
  // RFC 9110 §15.2: not to HTTP/1.0.
  if (response.req.httpVersion !== '1.1' || response.destroyed) return
  const { socket } = response
  if (statusCode === CONTINUE && socket !== null) {
    if (response._sent100 !== true) response.writeContinue()
    return
  }
  let head = `HTTP/1.1 ${statusCode} ${statusMessage}\r\n`
  for (let at = 0; at < rawHeaders.length; at += 2) head += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`
  head += '\r\n'
  // A response behind others on its connection has no socket yet, and would write its final head before this one.
  if (socket !== null) socket.write(head, 'latin1')
  else response.once('socket', (assigned: Socket) => assigned.write(head, 'latin1'))
}

function framingOf(rawHeaders: readonly string[]): Framing {
  const framing = { hasLength: false, isChunked: false, hasDisposition: false }
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    if (isField(name, 'content-length')) framing.hasLength = true
    else if (isField(name, 'transfer-encoding')) framing.isChunked = true
    else if (isField(name, 'content-disposition')) framing.hasDisposition = true
  }
  return framing
}

function adapt(rawHeaders: readonly string[], ends: boolean, chunks: boolean): string[] {
  const adapted: string[] = []
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    if (ends && isField(name, 'keep-alive')) continue
    if (!chunks && (isField(name, 'transfer-encoding') || isField(name, 'trailer'))) continue
    adapted.push(name, ends && isField(name, 'connection') ? 'close' : (rawHeaders[at + 1] as string))
  }
  return adapted
}
