// The answer to one forwarded request, from the other worker to the client's connection.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { writeAnswerHead } from './answer-head.ts'
import { addTrailers } from './raw-fields.ts'

const NOTHING = Buffer.alloc(0)

const passingKey = Symbol('switchyard.passing')

interface Passed {
  [passingKey]?: AnswerPassing
}

/** Passes one answer on. The listeners are shared functions that find it on the object they are called for. */
export class AnswerPassing {
  private readonly answer: IncomingMessage & Passed
  private readonly response: ServerResponse & Passed
  /** Does the client learn from the answer itself where it ends? */
  private readonly framed: boolean
  private next: 'head' | 'body' | 'nothing more' = 'head'

  /** Writes the head; throws when Node does not write such a head. */
  constructor(answer: IncomingMessage & Passed, response: ServerResponse) {
    this.answer = answer
    this.response = response
    this.framed = writeAnswerHead(answer, response)
    answer[passingKey] = this
    answer.on('data', onData)
    answer.on('end', onEnd)
    // After the tick in which a body that came with the head is passed on.
    process.nextTick(flush, this)
  }

  /** The other worker has sent all of it. */
  get isComplete(): boolean {
    return this.answer.complete
  }

  /** The answer ends too early: the client's connection ends, never as if the answer were whole. */
  breakOff(): void {
    const { response } = this
    if (!this.framed && response.socket !== null) reset(response.socket)
    response.destroy()
  }

  /** Lets the head go, which waits for the body. */
  flush(): void {
    // Not flushHeaders(): it would write the head in UTF-8.
    if (this.next === 'head' && !this.answer.complete && !this.response.destroyed) this.response.write(NOTHING)
  }

  /** More of the body has come. */
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

  /** All of the body has come. */
  finish(): void {
    if (this.next !== 'nothing more' && !this.response.destroyed) this.end()
  }

  /** The client takes more. */
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
    // Only TCP knows a reset.
  }
}
