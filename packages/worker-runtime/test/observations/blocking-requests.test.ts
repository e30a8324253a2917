// Which requests are to blame for a loop that does not turn. The clock is moved by hand.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { assert, suite } from '../../../../test/suite.ts'
import { BlockingRequests } from '../../src/observations/blocking-requests.ts'

const test = suite('blocking requests')

/** A loop with a timer of 100 ms. */
class Loop {
  private time = 1_000
  private idle = 0
  private cpu = 0
  readonly blocking = new BlockingRequests({ now: () => this.time, idleMs: () => this.idle, cpuMs: () => this.cpu })

  compute(ms: number): void {
    this.time += ms
    this.cpu += ms
  }

  /** The loop waits for work; its timer fires. */
  wait(ms: number): void {
    for (let left = ms; left > 0; left -= 100) {
      this.time += Math.min(left, 100)
      this.idle += Math.min(left, 100)
      this.blocking.onTick()
    }
  }

  /** The process waits for a processor, or for the kernel. */
  stall(ms: number): void {
    this.time += ms
  }

  begin(url: string, method = 'GET'): { end: () => void; response: ServerResponse } {
    const beganAt = this.time
    const response = { req: { method, url }, writableFinished: false, destroyed: false } as unknown as ServerResponse
    this.blocking.begin(response, beganAt)
    return {
      response,
      end: () => {
        Object.assign(response, { writableFinished: true })
        const ms = this.time - beganAt
        if (ms >= 50) this.blocking.end(response, ms)
      },
    }
  }

  get found(): string[] {
    return this.blocking.list.map(({ method, path, requests, blockedMs }) => `${method} ${path} ${requests} ${blockedMs}`)
  }
}

test('a request that computes is found, with its time', () => {
  const loop = new Loop()
  for (let id = 1; id <= 3; id++) {
    loop.wait(200)
    const report = loop.begin(`/reports/${id}?ms=300`)
    loop.compute(300)
    report.end()
    loop.blocking.onTick()
  }
  assert.equal(loop.found, ['GET /reports/:id 3 900'])
})

test('one that first waits and then computes is found, with the time in which it computed', () => {
  const loop = new Loop()
  const report = loop.begin('/reports/1')
  loop.wait(500)
  loop.compute(300)
  report.end()
  assert.equal(loop.found, ['GET /reports/:id 1 300'])
})

test('one that first computes and then waits is found', () => {
  const loop = new Loop()
  loop.wait(100)
  const login = loop.begin('/login', 'POST')
  loop.compute(300)
  loop.blocking.onTick()
  loop.wait(200)
  login.end()
  assert.equal(loop.found, ['POST /login 1 300'])
})

test('others in the same turn are not to blame: those that end behind it, and those that wait', () => {
  const loop = new Loop()
  const waits = loop.begin('/waits')
  loop.wait(200)
  const report = loop.begin('/reports/1')
  loop.compute(300)
  report.end()
  waits.end()
  const quick = loop.begin('/quick')
  loop.compute(1)
  quick.end()
  assert.equal(loop.found, ['GET /reports/:id 1 300'])
})

test('nothing is to blame while the loop turns, and while the process waits for a processor', () => {
  const loop = new Loop()
  const waits = loop.begin('/waits')
  loop.wait(2_000)
  waits.end()
  const stalled = loop.begin('/stalled')
  loop.compute(2)
  loop.stall(400)
  stalled.end()
  loop.blocking.onTick()
  assert.equal(loop.found, [])
})

test('a timer of the app that blocks is no request', () => {
  const loop = new Loop()
  const quick = loop.begin('/quick')
  loop.compute(1)
  quick.end()
  loop.compute(400)
  loop.blocking.onTick()
  assert.equal(loop.found, [])
})

test('paths below one parent become one, and the table is bounded', () => {
  const loop = new Loop()
  const block = (url: string) => {
    loop.wait(100)
    const request = loop.begin(url)
    loop.compute(300)
    request.end()
    loop.blocking.onTick()
  }
  for (const name of ['sales', 'stock', 'staff', 'tax', 'rent']) block(`/reports/${name}`)
  assert.equal(loop.found, ['GET /reports/* 5 1500'])
  for (let one = 0; one < 100; one++) block(`/${String.fromCharCode(97 + (one % 26))}${'x'.repeat(Math.floor(one / 26) + 1)}`)
  assert.is(loop.blocking.list.length, 32)
})

test('samples count by path from the first request that blocked on', () => {
  const loop = new Loop()
  assert.not(loop.blocking.isSampling)
  loop.wait(100)
  const report = loop.begin('/reports/1')
  loop.compute(300)
  report.end()
  assert.ok(loop.blocking.isSampling)
  for (const url of ['/reports/7', '/light', '/', '/light']) loop.blocking.sample({ method: 'GET', url } as IncomingMessage)
  assert.equal([loop.blocking.sampled, loop.blocking.otherPaths, loop.blocking.list[0]?.sampled], [4, 2, 1])
})

test.run()
