// Writes the head of an upstream server's answer to the client, and its interim answers.

import type { IncomingMessage, InformationEvent, ServerResponse } from 'node:http'
import type { AnswerWriting } from '../../forward/answer.ts'
import { writeInformation } from '../../forward/answer-head.ts'
import { beforeNodeEncodes, isField } from '../../forward/raw-fields.ts'
import { answerFields, trailerFields } from './hop-fields.ts'

const NO_CONTENT = 204
const NOT_MODIFIED = 304
const NOT_ASCII = /[\x80-\xff]/

/** What the proxy changes in the head of an answer. */
export interface AnswerChanges {
  /** A cookie of the proxy's own, such as a ticket. undefined: none. */
  readonly cookie: string | undefined
  /** Changes fields in place. undefined: they pass as they are. */
  readonly rewrite: ((fields: string[]) => void) | undefined
}

/** The head of an answer without the fields of its connection. */
export interface PassedHead {
  readonly status: number
  readonly reason: string
  readonly fields: readonly string[]
  readonly isChunked: boolean
  readonly hasLength: boolean
  readonly hasTrailer: boolean
}

/** How answers of upstream servers that Node has read are written. */
export function upstreamWriting(changes: AnswerChanges): AnswerWriting {
  return {
    writeHead: (answer, response) => writeUpstreamHead(headOf(answer), response, changes),
    trailersOf: ({ rawTrailers }) => trailerFields(rawTrailers),
  }
}

/** Passes on an interim answer without the fields of its connection. */
export function writeUpstreamInformation({ status, reason, fields }: PassedHead, response: ServerResponse): void {
  writeInformation({ statusCode: status, statusMessage: reason, rawHeaders: fields } as unknown as InformationEvent, response)
}

/** Writes the head. False: only the end of the connection tells the client where the body ends. Throws if Node refuses to write such a head. */
export function writeUpstreamHead(head: PassedHead, response: ServerResponse, { cookie, rewrite }: AnswerChanges): boolean {
  const { status, isChunked, hasLength } = head
  const knowsChunks = response.useChunkedEncodingByDefault
  const isWithoutTrailer = head.hasTrailer && (!isChunked || !knowsChunks)
  let fields = isWithoutTrailer ? without(head.fields, 'trailer') : head.fields
  if (cookie !== undefined || rewrite !== undefined) fields = changed(fields, cookie, rewrite)
  response.writeHead(status, head.reason, (hasLength ? prepared(fields) : fields) as string[])
  const hasBody = status !== NO_CONTENT && status !== NOT_MODIFIED && response.req.method !== 'HEAD'
  return hasLength || knowsChunks || !hasBody
}

function changed(fields: readonly string[], cookie: string | undefined, rewrite: AnswerChanges['rewrite']): string[] {
  const own = [...fields]
  rewrite?.(own)
  if (cookie !== undefined) own.push('Set-Cookie', cookie)
  return own
}

function headOf({ statusCode = 0, statusMessage = '', headers, rawHeaders }: IncomingMessage): PassedHead {
  const isChunked = headers['transfer-encoding'] !== undefined
  return {
    status: statusCode,
    reason: statusMessage,
    fields: answerFields(rawHeaders, headers.connection, isChunked),
    isChunked,
    hasLength: headers['content-length'] !== undefined,
    hasTrailer: headers.trailer !== undefined,
  }
}

/** Node changes nothing but values with bytes above ASCII. */
function prepared(fields: readonly string[]): readonly string[] {
  for (let at = 1; at < fields.length; at += 2) if (NOT_ASCII.test(fields[at] as string)) return beforeNodeEncodes(fields)
  return fields
}

function without(fields: readonly string[], lowerCase: string): string[] {
  const kept: string[] = []
  for (let at = 0; at < fields.length; at += 2) {
    if (!isField(fields[at] as string, lowerCase)) kept.push(fields[at] as string, fields[at + 1] as string)
  }
  return kept
}
