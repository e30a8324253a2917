// Many ws clients at once, each with random binary messages that must come back byte for byte and in order.

import { WebSocket } from 'ws'
import { assert } from '../../../../test/suite.ts'
import { patience } from '../../../../test/support/patience.ts'
import { seededRandom } from '../../../../test/support/random.ts'
import type { RunningExample } from '../../test-support/start.ts'

export interface EchoRun {
  readonly clients: number
  readonly messages: number
  readonly seed: number
  readonly timeoutMs: number
}

const UNDER_WAY = 3
const POOL_BYTES = 1 << 20

/** Runs all clients at once; resolves with the worker of each. */
export async function echoRun(example: RunningExample, { clients, messages, seed, timeoutMs }: EchoRun): Promise<number[]> {
  const random = seededRandom(seed)
  const pool = Buffer.from(Uint8Array.from({ length: POOL_BYTES }, () => random() * 256))
  const message = (): Buffer => {
    // Most are small, one in ten needs a frame with an extended length.
    const bytes = Math.floor(random() * (random() < 0.1 ? 70_000 : 1_000))
    const start = Math.floor(random() * (POOL_BYTES - bytes))
    return pool.subarray(start, start + bytes)
  }
  return await Promise.all(Array.from({ length: clients }, (_, index) => echoClient(example, index, messages, message, timeoutMs)))
}

function echoClient(example: RunningExample, index: number, messages: number, message: () => Buffer, timeoutMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${example.port}/`)
    const expected: Buffer[] = []
    let worker: number | undefined
    let sent = 0
    let echoed = 0
    const fail = (why: string): void => {
      clearTimeout(timer)
      socket.terminate()
      reject(new Error(`client ${index}, after ${echoed} of ${messages} messages: ${why}`))
    }
    const timer = setTimeout(() => fail(`${patience(timeoutMs)} ms went by`), patience(timeoutMs))
    const sendNext = (): void => {
      if (sent === messages) return
      const next = message()
      expected.push(next)
      sent++
      socket.send(next)
    }
    socket.once('error', (error) => fail(error.message))
    socket.once('close', (code) => {
      if (echoed < messages) return fail(`closed with code ${code}`)
      clearTimeout(timer)
      assert.is(code, 1000)
      resolve(worker as number)
    })
    socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) {
        worker = JSON.parse(data.toString()).worker
        for (let count = 0; count < UNDER_WAY; count++) sendNext()
        return
      }
      const wanted = expected.shift()
      if (wanted === undefined || !data.equals(wanted)) return fail(`got other bytes than it sent: ${data.length} for ${wanted?.length}`)
      echoed++
      if (echoed === messages) socket.close(1000)
      else sendNext()
    })
  })
}
