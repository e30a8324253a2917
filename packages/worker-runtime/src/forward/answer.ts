// Passes the answer to one forwarded request from the other worker to the client's connection.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { writeAnswerHead } from './answer-head.ts'
import { addTrailers } from './raw-fields.ts'

const NOTHING = Buffer.alloc(0)

const passingKey = Symbol('switchyard.passing')

interface Passed {
  [passingKey]?: AnswerPassing
}

/** Passes on one answer. The listeners are shared functions, which find this object on the emitter. */
export class AnswerPassing {
  private readonly answer: IncomingMessage & Passed
  private readonly response: ServerResponse & Passed
  /** Does the framing of the answer tell the client where it ends? */
  private readonly framed: boolean
  private next: 'head' | 'body' | 'nothing more' = 'head'

  /** Writes the head. Throws if Node refuses to write such a head. */
  constructor(answer: IncomingMessage & Passed, response: ServerResponse) {
    this.answer = answer
    this.response = response
    this.framed = writeAnswerHead(answer, response)
    answer[passingKey] = this
    answer.on('data', onData)
    answer.on('end', onEnd)
    // Later than the tick that passes on a body which came with the head.
    process.nextTick(flush, this)
  }

  /** Has the other worker sent all of the answer? */
  get isComplete(): boolean {
    return this.answer.complete
  }

  /** The answer ends too early: breaks the client's connection, so that the answer never looks complete. */
  breakOff(): void {
    const { response } = this
    if (!this.framed && response.socket !== null) reset(response.socket)
    response.destroy()
  }

  /** Sends the head, which waits for the body until now. */
  flush(): void {
    // flushHeaders() would write the head in UTF-8.
    if (this.next === 'head' && !this.answer.complete && !this.response.destroyed) this.response.write(NOTHING)
  }

  /** A part of the body has come. */
  pass(chunk: Buffer): void {
    const { answer, response } = this
    if (response.destroyed) return
    if (answer.complete && answer.readableLength === 0) return this.end(chunk)
    this.next = 'body'
    if (response.write(chunk)) return
    answer.pause()
    if (response[passingKey] !== undefined) return
    response[passingKey] = this
    response.on('drain', onDrain)
  }

  /** The body has ended. */
  finish(): void {
    if (this.next !== 'nothing more' && !this.response.destroyed) this.end()
  }

  /** The client's connection accepts more. */
  resume(): void {
    this.answer.resume()
  }

  private end(chunk?: Buffer): void {
    const { answer, response } = this
    this.next = 'nothing more'
    addTrailers(response, answer.rawTrailers)
    if (chunk === undefined) response.end()
    else response.end(chunk)
  }
}

function onData(this: Passed, chunk: Buffer): void {
  this[passingKey]?.pass(chunk)
}

function onEnd(this: Passed): void {
  this[passingKey]?.finish()
}

function onDrain(this: Passed): void {
  this[passingKey]?.resume()
}

function flush(passing: AnswerPassing): void {
  passing.flush()
}

function reset(socket: Socket): void {
  try {
    socket.resetAndDestroy()
  } catch {
    // Only TCP has a reset.
  }
}
