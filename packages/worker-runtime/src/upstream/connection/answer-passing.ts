// Passes the answer of an upstream server to the client's connection.

import type { ServerResponse } from 'node:http'
import { addTrailers } from '../../forward/raw-fields.ts'
import { trailerFields } from '../fields/hop-fields.ts'

const NOTHING = Buffer.alloc(0)
/** A body up to this size leaves in one write with its head. */
const MAX_TEXT_BYTES = 8 * 1024

export class AnswerPassing {
  private readonly response: ServerResponse
  /** Does the framing of the answer tell the client where it ends? */
  private readonly isFramed: boolean
  /** What has come of the body in this read. The bytes may be overwritten after it. */
  private parts: Buffer[] = []
  private hasBegun = false

  /** The head is written, and waits for the body. */
  constructor(response: ServerResponse, isFramed: boolean) {
    this.response = response
    this.isFramed = isFramed
  }

  add(part: Buffer): void {
    this.parts.push(part)
  }

  /** Sends what has come in this read. False: the client's connection accepts no more for now. */
  flush(): boolean {
    const { response } = this
    if (this.hasBegun && this.parts.length === 0) return true
    this.hasBegun = true
    return response.write(this.takeParts() ?? NOTHING)
  }

  end(trailers: readonly string[]): void {
    const { response } = this
    if (trailers.length > 0) addTrailers(response, trailerFields(trailers))
    const [first] = this.parts
    // As text it is one write with the head, and one system call.
    if (!this.hasBegun && this.parts.length === 1 && first !== undefined && first.length <= MAX_TEXT_BYTES)
      return void response.end(first.toString('latin1'), 'latin1')
    const rest = this.takeParts()
    if (rest === undefined) response.end()
    else response.end(rest)
  }

  /** The answer ends too early: breaks the client's connection, so that the answer never looks complete. */
  breakOff(): void {
    const { response } = this
    if (!this.isFramed && response.socket !== null) {
      try {
        response.socket.resetAndDestroy()
      } catch {
        // Only TCP has a reset.
      }
    }
    response.destroy()
  }

  private takeParts(): Buffer | undefined {
    const { parts } = this
    if (parts.length === 0) return undefined
    this.parts = []
    return parts.length === 1 ? Buffer.from(parts[0] as Buffer) : Buffer.concat(parts)
  }
}
