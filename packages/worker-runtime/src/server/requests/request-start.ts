// Keeps the request hook in front of a monitoring agent that wraps `server.emit` of a listening server. Sentry does so when Node announces a request
// on the channel 'http.server.request.start'. Its wrapper would begin a span before the hook moves the request to another worker, where a second
// span begins.

import { channel, subscribe } from 'node:diagnostics_channel'
import type { Server } from 'node:net'

// biome-ignore lint/suspicious/noExplicitAny: any event with any number of values
export type Emit = (this: Server, event: any, ...values: any[]) => boolean

const REQUEST_START = 'http.server.request.start'

const ordered = new WeakMap<object, RequestStart>()
let isSubscribed = false

/** One server's hook and the wrapper around it. Node calls the hook first, the hook calls the wrapper, and that calls the app. */
export class RequestStart {
  private readonly server: Server
  private readonly emitOf: () => Emit
  private wrapper: Emit | undefined
  /** Node has announced a request, and reads `server.emit` next. */
  private isStarting = false
  /** Requests that the wrapper has had. */
  private readonly passed = new WeakSet<object>()

  /** `emitOf`: the server's own `emit`. */
  constructor(server: Server, emitOf: () => Emit) {
    this.server = server
    this.emitOf = emitOf
  }

  /** Installs `hook` as the server's `emit`. Undefined: no agent waits for requests to start, so the property is an ordinary one. */
  static install(server: Server, emitOf: () => Emit, hook: Emit): RequestStart | undefined {
    if (!channel(REQUEST_START).hasSubscribers) {
      server.emit = hook as typeof server.emit
      return undefined
    }
    const start = new RequestStart(server, emitOf)
    Object.defineProperty(server, 'emit', {
      configurable: true,
      enumerable: true,
      get: () => (start.isStarting ? hook : (start.wrapper ?? hook)),
      set(wrapper: Emit) {
        start.wrapper = wrapper
      },
    })
    ordered.set(server, start)
    // Behind the agent's own subscription, which reads and replaces `emit`.
    if (!isSubscribed) subscribe(REQUEST_START, (message) => ordered.get((message as { server: object }).server)?.announce())
    isSubscribed = true
    return start
  }

  /** The hook is called with a request. True: the wrapper passes it on, and the hook has had it before. */
  isPassedOn(request: object): boolean {
    const isFirst = this.isStarting
    this.isStarting = false
    if (this.wrapper === undefined) return false
    if (this.passed.has(request)) return true
    // Node does not announce every request. The wrapper had such a request before the hook.
    if (!isFirst) this.passed.add(request)
    return false
  }

  /** Gives the request to the wrapper, which calls the hook again, or to the app. */
  pass(event: string, request: object, second: unknown): boolean {
    const { wrapper, server, passed } = this
    if (wrapper === undefined || passed.has(request)) return this.emitOf().call(server, event, request, second)
    passed.add(request)
    return wrapper.call(server, event, request, second)
  }

  private announce(): void {
    this.isStarting = true
  }
}
