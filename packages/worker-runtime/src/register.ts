// The preload (`node --import`): whatever listens in this process joins the pool. The app needs no change.

import { Server as HttpServer, maxHeaderSize } from 'node:http'
import type { Server } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import { isMainThread } from 'node:worker_threads'
import {
  closeListeningSocket,
  connectionCountOf,
  listenerOf,
  type Offer,
  publishConnections,
  ReadySlots,
  rowWords,
} from '@switchyard/handoff'
import { ConnectionAges } from './drain/connection-ages.ts'
import { Drain } from './drain/drain.ts'
import { ForwardedRequests } from './forward/forwarded.ts'
import { Forwarder } from './forward/forwarder.ts'
import { knowOwnName } from './own-name.ts'
import { startReports } from './reports/report.ts'
import { startSessionReports } from './reports/session-reports.ts'
import { keepTickShape } from './reports/tick-shape.ts'
import { UnknownSessions } from './reports/unknown-sessions.ts'
import { openRuntime, type Runtime } from './runtime.ts'
import { Servers } from './server/balanced-servers.ts'
import { HeldSignals, usualStopSignal } from './server/held-signals.ts'
import { Http2Sessions } from './server/http2-sessions.ts'
import { InFlight } from './server/in-flight.ts'
import { hookAppListen } from './server/listen-hook.ts'
import { Receiver } from './server/receiver.ts'
import { hookRequests } from './server/request-hook.ts'
import { Websockets } from './server/websockets.ts'
import { sessionsStatus, unrefSessions } from './session-adapters/open-sessions.ts'
import { BoundConnections } from './steering/bound-connections.ts'
import { ConnectionMover } from './steering/connection-mover.ts'
import { PlacementClient } from './steering/placement-client.ts'
import { Rest } from './steering/rest.ts'
import { Steering } from './steering/steering.ts'
import { TicketCookies } from './steering/ticket-cookie.ts'
import { VisitorCache } from './steering/visitor-cache.ts'
import { learnedNames, VisitorCookies } from './steering/visitor-cookies.ts'
import { buildRoutes } from './steering/worker-routes.ts'

knowOwnName(process.argv[1])

const runtime = isMainThread ? openRuntime(process.env) : undefined

if (runtime !== undefined) {
  // The primary may have to ask where this process hangs: its inspector, when it is opened, must not need the port that another's has.
  if (!process.execArgv.some((argument) => /^--(inspect|debug)/.test(argument))) process.debugPort = 0
  keepTickShape()
  await register(runtime)
}

async function register(runtime: Runtime): Promise<void> {
  let unknownSessions: UnknownSessions | undefined
  const bound = new BoundConnections((name) => {
    const message = `the app keeps '${name}' on its sockets: such a connection stays with its worker while it is open`
    runtime.send({ switchyard: 'notice', level: 'info', message })
  })
  const inFlight = new InFlight((response) => {
    bound.noteResponse(response)
    unknownSessions?.noteResponse(response)
  })
  const servers = new Servers()
  /** One for each server, also for one that listens again. */
  const receptions = new WeakMap<Server, Receiver>()
  /** Servers that listen, or have connections. */
  const serving = new Set<Server>()
  let drain: Drain | undefined
  let told: ReadySlots | undefined
  let words: Int32Array | undefined

  const signals = new HeldSignals()
  const { stopSignal } = runtime.start
  signals.hold(stopSignal === undefined ? [] : [stopSignal])
  runtime.onMessage((message) => {
    if (message.switchyard === 'leave') {
      for (const server of serving) closeListeningSocket(server)
      runtime.keepAlive(false)
      unrefSessions()
      signals.send(stopSignal ?? usualStopSignal())
    } else if (message.switchyard !== 'drain') return
    else if (drain === undefined) runtime.send({ switchyard: 'drained', last: message.last })
    else {
      // Between the end of the drain and the word to end there may be nothing else.
      runtime.keepAlive(true)
      drain.order(message)
    }
  })

  const { start } = runtime
  const learns = learnedNames(start.routes, start.pool).length > 0
  const visitors = learns ? new VisitorCache(start, () => performance.now()) : undefined
  const table = await buildRoutes(runtime, () => told?.list ?? [], visitors)
  unknownSessions = new UnknownSessions({
    table,
    workers: () => told?.list.length ?? 0,
    warn: (message) => runtime.send({ switchyard: 'notice', level: 'warn', message, once: true }),
  })
  const { end } = runtime
  const { outbox } = end
  const asking = new PlacementClient(runtime, outbox)
  const cookies = TicketCookies.areNeeded(table) ? new TicketCookies(runtime, table) : undefined
  const learned = visitors && new VisitorCookies(runtime, table, visitors)
  const forwarder = new Forwarder({ token: runtime.start.forwardToken })
  const isSteered = Steering.isNeeded(table, runtime.start.pool)
  const steering = isSteered
    ? new Steering({ runtime, table, asking, forwarder, outbox, bound, listenerOf: (server) => servers.listenerOf(server) })
    : undefined
  const departures = new ConnectionMover(table, outbox, bound)
  const upgraded = new Websockets()
  const sessions = new Http2Sessions()
  const whoGoes = { servers: () => [...serving], departures, upgraded, sessions, chance: Math.random }
  drain = new Drain({ runtime, inFlight, outbox, ...whoGoes })
  const rest = new Rest(runtime.start.rest, table, bound, departures, end, inFlight)

  hookAppListen(runtime, servers, (server) => {
    const isFirst = words === undefined
    words ??= end.receive({ onOffer: receive, onAnswer: (id, verdict) => asking.onAnswer(id, verdict) })
    for (const other of serving) if (!other.listening && connectionCountOf(other) === 0) serving.delete(other)
    serving.add(server)
    if (!receptions.has(server)) takeIn(server, words)
    runtime.send({ switchyard: 'header-limit', bytes: headerLimitOf(server) })
    if (!isFirst) return
    // From here on it is the app's server that keeps the process alive, as it does without us.
    runtime.keepAlive(false)
    told = new ReadySlots(words, runtime.start.weights)
    inFlight.publish(words, () => end.loopIsBusy())
    startReports(runtime, inFlight, words)
    startSessionReports(runtime, sessionsStatus)
    const maxAgeMs = runtime.start.maxConnectionAgeMs ?? 0
    if (maxAgeMs > 0) new ConnectionAges({ maxAgeMs, ...whoGoes }).start()
  })

  function receive(offer: Offer): void {
    const server = servers.serverFor(listenerOf(offer.tag))
    const reception = server && receptions.get(server)
    if (reception !== undefined) return reception.receive(offer)
    // It is for a server that has closed long ago: as when a server of Node closes, what it has not accepted is cut off.
    offer.claim(0)
    offer.release()
    inFlight.countReceived()
  }

  function takeIn(server: Server, words: Int32Array): void {
    const reception = new Receiver(server, inFlight, () => end.loopIsFree())
    receptions.set(server, reception)
    hookRequests(server, {
      noteConnections: publishConnections(server, words, rowWords.connections),
      reception,
      inFlight,
      cookies,
      learned,
      steering,
      rest,
      bound,
      departures,
      upgraded,
      sessions,
      outbox,
      forwarded: new ForwardedRequests(server, runtime.start.forwardToken),
    })
  }
}

/** Where the app says nothing, `--max-http-header-size` does. */
function headerLimitOf(server: Server): number {
  if (!(server instanceof HttpServer || server instanceof TlsServer)) return 0
  return (server as { maxHeaderSize?: number | undefined }).maxHeaderSize || maxHeaderSize
}
