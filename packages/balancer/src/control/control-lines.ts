// Writes an answer line by line to someone who may read slowly, or not at all: then lines are left out and counted, and the primary keeps no more than a bounded rest.

import type { ServerResponse } from 'node:http'

const maxUnreadBytes = 1024 * 1024

/** One answer. Ends with `end`, or when its reader goes away. */
export class ControlLines {
  readonly #response: ServerResponse
  readonly #lostLine: ((count: number) => unknown) | undefined
  #lost = 0

  /** `lostLine` makes the line that tells how many were left out; without it nobody is told. */
  constructor(response: ServerResponse, lostLine?: (count: number) => unknown) {
    this.#response = response
    this.#lostLine = lostLine
    response.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' })
    response.flushHeaders()
    response.on('drain', () => this.#tellLost())
  }

  get isOver(): boolean {
    return this.#response.destroyed || this.#response.writableEnded
  }

  write(line: unknown): void {
    if (this.isOver) return
    if (this.#response.writableLength > maxUnreadBytes) {
      this.#lost += 1
      return
    }
    this.#tellLost()
    this.#put(line)
  }

  /** The last line is written in any case. */
  end(line?: unknown): void {
    if (this.isOver) return
    this.#tellLost()
    if (line !== undefined) this.#put(line)
    this.#response.end()
  }

  onOver(listener: () => void): void {
    this.#response.once('close', listener)
  }

  #tellLost(): void {
    if (this.#lost === 0 || this.isOver) return
    const lost = this.#lost
    this.#lost = 0
    if (this.#lostLine !== undefined) this.#put(this.#lostLine(lost))
  }

  #put(line: unknown): void {
    this.#response.write(`${JSON.stringify(line)}\n`)
  }
}
