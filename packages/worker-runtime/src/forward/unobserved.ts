// Keeps forwards out of the app's telemetry. A request between two workers belongs to the client's request, which the other worker's agent sees.

import { channel } from 'node:diagnostics_channel'
import { ClientRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { openTelemetry } from '../open-telemetry.ts'

/** Channels on which Node announces client requests. Sentry begins a span for each message. */
const CLIENT_CHANNELS = [
  'http.client.request.created',
  'http.client.request.start',
  'http.client.request.error',
  'http.client.response.finish',
]

/** The key with which OpenTelemetry's exporters keep their own requests out of the traces. */
const SUPPRESS_TRACING = Symbol.for('OpenTelemetry SDK Context Key SUPPRESS_TRACING')

interface Announcing {
  publish(message: unknown): void
}

// Read before the app is loaded. A tracing or mocking library that replaces the class later means the app's own requests.
const NodeRequest = ClientRequest

/** A request between workers. */
export class ForwardRequest extends NodeRequest {}

/** From now on Node's channels say nothing of requests between workers. */
export function hideForwards(): void {
  for (const name of CLIENT_CHANNELS) {
    Object.defineProperty(channel(name), 'publish', {
      configurable: true,
      writable: true,
      value(this: Announcing, message: { readonly request?: unknown }) {
        // A channel changes its prototype with its first and last subscriber.
        if (!(message.request instanceof ForwardRequest)) (Reflect.getPrototypeOf(this) as Announcing).publish.call(this, message)
      },
    })
  }
}

/** Connects to a private socket. */
export function connectUnobserved(socketPath: string, options: { readonly allowHalfOpen?: boolean } = {}): Socket {
  const act = (): Socket => connect({ path: socketPath, ...options })
  const contexts = openTelemetry()?.context
  if (contexts === undefined) return act()
  return contexts.with(contexts.active().setValue(SUPPRESS_TRACING, true), act)
}
