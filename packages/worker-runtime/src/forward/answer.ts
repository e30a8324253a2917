// Passes the answer to one forwarded request from the other worker to the client's connection.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { writeAnswerHead } from './answer-head.ts'
import { addTrailers } from './raw-fields.ts'

const NOTHING = Buffer.alloc(0)

const passingKey = Symbol('switchyard.passing')

/** How an answer is written for its client. */
export interface AnswerWriting {
  /** Writes the head. False: the body has no framing, so only the end of the connection tells the client where it ends. */
  readonly writeHead: (answer: IncomingMessage, response: ServerResponse) => boolean
  /** The trailers that pass. */
  readonly trailersOf: (answer: IncomingMessage) => readonly string[]
}

const asReceived: AnswerWriting = { writeHead: writeAnswerHead, trailersOf: ({ rawTrailers }) => rawTrailers }

interface Passed {
  [passingKey]?: AnswerPassing
}

/** Passes on one answer. The listeners are shared functions, which find this object on the emitter. */
export class AnswerPassing {
  private readonly answer: IncomingMessage & Passed
  private readonly response: ServerResponse & Passed
  /** Does the framing of the answer tell the client where it ends? */
  private readonly framed: boolean
  private readonly writing: AnswerWriting
  private next: 'head' | 'body' | 'nothing more' = 'head'

  /** Writes the head. Throws if Node refuses to write such a head. */
  constructor(answer: IncomingMessage & Passed, response: ServerResponse, writing: AnswerWriting = asReceived) {
    this.answer = answer
    this.response = response
    this.writing = writing
    this.framed = writing.writeHead(answer, response)
    answer[passingKey] = this
    answer.on('data', onData)
    answer.on('end', onEnd)
    // Later than the tick that passes on a body which came with the head.
    process.nextTick(flush, this)
  }

  /** Does the answer wait because the client is slow? */
  get isPaused(): boolean {
    return this.answer.isPaused()
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
    addTrailers(response, this.writing.trailersOf(answer))
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
