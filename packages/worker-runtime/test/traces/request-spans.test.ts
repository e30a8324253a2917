// Spans for the way of a request: which parts it has, their times, and that the app's telemetry cannot disturb the request.

import { createServer, IncomingMessage, type Server } from 'node:http'
import { Socket } from 'node:net'
import { monotonicUs, packTag, withMoved, withWait } from '@switchyard/handoff'
import { assert, suite } from '../../../../test/suite.ts'
import type { Context, OpenTelemetry, SpanOptions } from '../../src/open-telemetry.ts'
import { RequestSpans } from '../../src/traces/request-spans.ts'

const test = suite('request spans')

const API = Symbol.for('opentelemetry.js.api.1')
const SPAN = Symbol.for('OpenTelemetry Context Key SPAN')
const holder = globalThis as { [API]?: OpenTelemetry | undefined }

interface Recorded extends SpanOptions {
  readonly name: string
  readonly parent: unknown
  readonly endMs: number
}

/** What an app's SDK registers. `own`: the span that is active while the app's listeners run. */
function register(own: unknown): Recorded[] {
  const recorded: Recorded[] = []
  const context: Context = { getValue: (key) => (key === SPAN ? own : undefined), setValue: () => context }
  holder[API] = {
    context: { active: () => context, with: (_context, act) => act() },
    trace: {
      getTracer: () => ({
        startSpan: (name, options, parent) => ({
          isRecording: () => true,
          end: (endMs) => void recorded.push({ ...options, name, parent: parent.getValue(SPAN), endMs }),
        }),
      }),
    },
  }
  return recorded
}

const sampled = { isRecording: () => true }

test.after.each(() => {
  delete holder[API]
})

/** The request of a connection that was offered so long ago, or that no hand-off brought. */
function emit(spans: RequestSpans, request = new IncomingMessage(new Socket())): void {
  emitTraced(spans, createServer(), request)
}

/** Spans of a worker whose app registered its SDK ten seconds ago. */
function spansFor(offered?: { readonly agoMs: number; readonly tag: number }): RequestSpans {
  const ago = (ms: number): number => (monotonicUs() - ms * 1000) | 0
  const handOffOf = () => offered && { tag: offered.tag, offeredUs: ago(offered.agoMs) }
  const spans = new RequestSpans({ pool: 'web', slot: 3, handOffOf })
  spans.poll(ago(10_000))
  return spans
}

function emitTraced(spans: RequestSpans, server: Server, request: IncomingMessage): void {
  const end = spans.prepare(server, request)
  server.emit('request', request, {} as never)
  end?.()
}

const tag = packTag(0, true)

test('a wait and the hand-off are children of the active span, one after the other, and end when the request begins', () => {
  const recorded = register(sampled)
  const spans = spansFor({ agoMs: 5, tag: withMoved(withWait(tag, 40)) })
  const beforeMs = performance.timeOrigin + performance.now()
  emit(spans)
  const [queue, handOff] = recorded as [Recorded, Recorded]
  assert.equal(
    recorded.map(({ name, parent, attributes }) => [name, parent, attributes]),
    [
      ['switchyard.queue', sampled, { 'switchyard.pool': 'web', 'switchyard.slot': 3 }],
      ['switchyard.hand_off', sampled, { 'switchyard.pool': 'web', 'switchyard.slot': 3, 'switchyard.moved': true }],
    ],
  )
  assert.is(Math.round(queue.endMs - queue.startTime), 40)
  assert.is(queue.endMs, handOff.startTime)
  assert.ok(handOff.endMs - handOff.startTime >= 5)
  assert.ok(handOff.endMs >= beforeMs - 1)
})

for (const [why, offered] of Object.entries({
  'a connection that no hand-off brought': undefined,
  'a head that was incomplete at the hand-off': { agoMs: 5, tag: packTag(0, false) },
  'a time in the future': { agoMs: -5_000, tag },
  'a hand-off before OpenTelemetry was registered': { agoMs: 60_000, tag },
}))
  test(`${why}: no span`, () => {
    const recorded = register(sampled)
    emit(spansFor(offered))
    assert.equal(recorded, [])
  })

for (const [why, own] of Object.entries({ 'no active span': undefined, 'a span that is not sampled': { isRecording: () => false } }))
  test(`${why}: no span`, () => {
    const recorded = register(own)
    emit(spansFor({ agoMs: 1, tag }))
    assert.equal(recorded, [])
  })

test("the app's listeners see the server as without us, and run even if the telemetry throws", () => {
  register({
    isRecording() {
      throw new Error('a faulty SDK')
    },
  })
  const server = createServer()
  let seen = 0
  server.on('request', () => {
    seen = server.listenerCount('request')
  })
  emitTraced(spansFor({ agoMs: 1, tag }), server, new IncomingMessage(new Socket()))
  assert.is(seen, 1)
})

test('a request that never reaches the listeners leaves none behind', () => {
  register(sampled)
  const server = createServer()
  spansFor({ agoMs: 1, tag }).prepare(server, new IncomingMessage(new Socket()))?.()
  assert.is(server.listenerCount('request'), 0)
})

test('off until the app has registered an SDK', () => {
  const spans = new RequestSpans({ pool: 'web', slot: 3 })
  spans.poll(0)
  assert.not.ok(spans.isOn)
  holder[API] = {}
  spans.poll(0)
  assert.not.ok(spans.isOn)
  register(sampled)
  spans.poll(0)
  assert.ok(spans.isOn)
})

test.run()
