// Writes the head of an upstream server's answer to the client, and its interim answers.

import type { IncomingMessage, InformationEvent, ServerResponse } from 'node:http'
import type { AnswerWriting } from '../../forward/answer.ts'
import { writeInformation } from '../../forward/answer-head.ts'
import { beforeNodeEncodes, isField } from '../../forward/raw-fields.ts'
import { answerFields, trailerFields } from './hop-fields.ts'

const SWITCHING_PROTOCOLS = 101
const NO_CONTENT = 204
const NOT_MODIFIED = 304

/** What the proxy changes in the head of an answer. */
export interface AnswerChanges {
  /** A cookie of the proxy's own, such as a ticket. undefined: none. */
  readonly cookie: string | undefined
  /** Changes fields in place. undefined: they pass as they are. */
  readonly rewrite: ((fields: string[]) => void) | undefined
}

/** How answers of upstream servers are written. */
export function upstreamWriting(changes: AnswerChanges): AnswerWriting {
  return {
    writeHead: (answer, response) => writeUpstreamHead(answer, response, changes),
    trailersOf: ({ rawTrailers }) => trailerFields(rawTrailers),
  }
}

/** Passes on an interim answer without the fields of its connection. */
export function writeUpstreamInformation(information: InformationEvent, response: ServerResponse): void {
  if (information.statusCode === SWITCHING_PROTOCOLS) return
  const connection = information.headers.connection
  writeInformation({ ...information, rawHeaders: answerFields(information.rawHeaders, connection, false) }, response)
}

function writeUpstreamHead(answer: IncomingMessage, response: ServerResponse, { cookie, rewrite }: AnswerChanges): boolean {
  const { statusCode = 0, statusMessage, headers, rawHeaders } = answer
  const isChunked = headers['transfer-encoding'] !== undefined
  const fields = answerFields(rawHeaders, headers.connection, isChunked)
  const knowsChunks = response.useChunkedEncodingByDefault
  if (headers.trailer !== undefined && (!isChunked || !knowsChunks)) remove(fields, 'trailer')
  rewrite?.(fields)
  if (cookie !== undefined) fields.push('Set-Cookie', cookie)
  const written = headers['content-disposition'] === undefined ? fields : beforeNodeEncodes(fields)
  response.writeHead(statusCode, statusMessage, written as string[])
  const hasBody = statusCode !== NO_CONTENT && statusCode !== NOT_MODIFIED && response.req.method !== 'HEAD'
  return headers['content-length'] !== undefined || knowsChunks || !hasBody
}

function remove(fields: string[], lowerCase: string): void {
  for (let at = fields.length - 2; at >= 0; at -= 2) if (isField(fields[at] as string, lowerCase)) fields.splice(at, 2)
}
