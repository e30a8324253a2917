// The preload of a worker (`node --import`): every server that listens in this process joins the pool. The app needs no change.

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
  routeCountersOf,
  rowWords,
} from '@switchyard/handoff'
import type { AccessLog } from './access-log/access-log.ts'
import { ConnectionAges } from './drain/connection-ages.ts'
import { Drain } from './drain/drain.ts'
import { ForwardedRequests } from './forward/forwarded.ts'
import { Forwarder } from './forward/forwarder.ts'
import { Observer } from './observations/observer.ts'
import { resolveOwnName } from './own-name.ts'
import { shareMetrics } from './reports/app-registries.ts'
import { startLoadReports } from './reports/load-reports.ts'
import { startMetricReports } from './reports/metric-reports.ts'
import { RouteExemplars } from './reports/route-exemplars.ts'
import { startSessionReports } from './reports/session-reports.ts'
import { keepTickShape } from './reports/tick-shape.ts'
import { UnknownSessions } from './reports/unknown-sessions.ts'
import { hookRequests } from './request-hook.ts'
import { openRuntime, type Runtime } from './runtime.ts'
import { announceStart, sendShutdownMessage } from './server/app-messages.ts'
import { Servers } from './server/balanced-servers.ts'
import { HeldSignals, usualStopSignal } from './server/held-signals.ts'
import { Http2Sessions } from './server/http2-sessions.ts'
import { hookAppListen } from './server/listen-hook.ts'
import { Receiver } from './server/receiver.ts'
import { InFlight } from './server/requests/in-flight.ts'
import { RouteRequests } from './server/requests/route-requests.ts'
import { Handshakes } from './server/tls/handshakes.ts'
import { Websockets } from './server/websockets.ts'
import { sessionsStatus, unrefSessions } from './session-adapters/open-sessions.ts'
import { enableSourceMaps } from './source-maps.ts'
import { BoundConnections } from './steering/bound-connections.ts'
import { ConnectionMover } from './steering/connection-mover.ts'
import { ExplainHeader } from './steering/explain-header.ts'
import { PlacementClient } from './steering/placement-client.ts'
import { RequestRoutes } from './steering/request-routes.ts'
import { Rest } from './steering/rest.ts'
import { Spread } from './steering/spread.ts'
import { Steering } from './steering/steering.ts'
import { TicketCookies } from './steering/ticket-cookie.ts'
import { VisitorCache } from './steering/visitor-cache.ts'
import { learnedNames, VisitorCookies } from './steering/visitor-cookies.ts'
import { buildRoutes } from './steering/worker-routes.ts'
import { OwnStreams, speaksHttp2Itself } from './streams/own-streams.ts'
import type { TlsChange, TlsListenerStart } from './tls-start.ts'
import { TicketLoader } from './tls-tickets/ticket-loader.ts'
import { RequestSpans } from './traces/request-spans.ts'

resolveOwnName(process.argv[1])

const runtime = isMainThread ? openRuntime(process.env) : undefined

if (runtime !== undefined) {
  // The primary opens the inspector of a hanging worker. Port 0 keeps it from colliding with the inspector of another process.
  if (!process.execArgv.some((argument) => /^--(inspect|debug)/.test(argument))) process.debugPort = 0
  if (runtime.start.sourceMaps === true) enableSourceMaps()
  keepTickShape()
  await register(runtime)
}

/** Wires the parts of a worker, each after those that it uses. */
async function register(runtime: Runtime): Promise<void> {
  const { start, end } = runtime
  const { outbox } = end
  const servers = new Servers()
  const ticketLoader = new TicketLoader(runtime)
  /** Servers that listen, or still have connections. */
  const serving = new Set<Server>()
  /** One for each server; a server that listens again keeps its own. */
  const receivers = new WeakMap<Server, Receiver>()
  /** The row in the load board and the ready slots; undefined until the first server listens. */
  let row: Int32Array | undefined
  let slots: ReadySlots | undefined
  /** Sends the last counts. */
  let reportLast = () => {}
  /** Undefined while the routes are built. */
  let drain: Drain | undefined
  let accessLog: AccessLog | undefined
  let applyTls = (change: TlsChange): void => void earlyTls.push(change)
  const earlyTls: TlsChange[] = []

  // Signals and messages may come while the routes are built.
  const { stopSignal } = start
  const signals = new HeldSignals()
  signals.hold(stopSignal === undefined ? [] : [stopSignal])
  runtime.onMessage((message) => {
    if (message.switchyard === 'leave') exit()
    else if (message.switchyard === 'tls') applyTls(message)
    else if (message.switchyard !== 'drain') return
    else if (drain === undefined) runtime.send({ switchyard: 'drained', last: message.last })
    else {
      // Until the primary's next message nothing else may keep the process alive. A one-off process ends when its work is done.
      if (start.isOneOff !== true) runtime.keepAlive(true)
      drain.order(message)
    }
  })

  const isLearning = learnedNames(start.routes, start.pool).length > 0
  const visitors = isLearning ? new VisitorCache(start, () => performance.now()) : undefined
  const table = await buildRoutes(runtime, () => slots?.list ?? [], visitors)

  const bound = new BoundConnections((name) => {
    const message = `the app stores '${name}' on its sockets: such a connection stays with its worker while it is open`
    runtime.send({ switchyard: 'notice', level: 'info', message })
  })
  const observer = start.observes === true ? new Observer() : undefined
  const unknownSessions = new UnknownSessions({
    table,
    workers: () => slots?.list.length ?? 0,
    warn: (message) => runtime.send({ switchyard: 'notice', level: 'warn', message, once: true }),
    onLost: observer && ((path, isSticky) => observer.recordLostSession(path, isSticky)),
  })
  const requestRoutes = new RequestRoutes(table)
  const routeRequests = new RouteRequests((request) => requestRoutes.indexOf(request))
  if (start.accessLog !== undefined) {
    const { AccessLog } = await import('./access-log/access-log.ts')
    accessLog = new AccessLog({ runtime, start: start.accessLog, requestRoutes, chance: Math.random })
  }
  const handshakes = new Handshakes(runtime)
  const ending = start.tls && (await openTermination(start.tls, start.listeners ?? [], ticketLoader, handshakes))
  if (ending !== undefined) applyTls = (change) => ending.termination.apply(change)
  for (const change of earlyTls.splice(0)) applyTls(change)
  const inFlight = new InFlight({
    routes: routeRequests,
    onError(response) {
      bound.onResponse(response)
      unknownSessions.onErrorResponse(response)
    },
    onEnded: accessLog && ((response, open, isFinished, ms, nowMs) => accessLog?.end(response, open, isFinished, ms, nowMs)),
    observer: observer?.blocking,
  })

  const spans = new RequestSpans(start)
  const placement = new PlacementClient(runtime, outbox)
  const forwarder = new Forwarder({ token: start.forwardToken })
  const ownRoutes = start.routes.filter(({ pool }) => pool === start.pool)
  // A proxy's requests do not keep its event loop busy.
  const spread = start.upstream === undefined ? Spread.of(start.http2, ownRoutes, inFlight) : undefined
  const steering =
    Steering.isNeeded(table, start.pool) || spread !== undefined
      ? new Steering({
          ...{ runtime, table, placement, forwarder, outbox, bound, observer },
          listenerOf: (server) => servers.listenerOf(server),
          tlsHomes: ticketLoader,
        })
      : undefined
  const ticketCookies = TicketCookies.areNeeded(table) ? new TicketCookies(runtime, table) : undefined
  const explainHeader = start.explain && new ExplainHeader(start.explain, start, table)
  const visitorCookies = visitors && new VisitorCookies(runtime, table, visitors)
  const mover = new ConnectionMover(table, outbox, bound)
  const rest = new Rest({ mode: start.rest, table, bound, mover, end, inFlight })

  const websockets = new Websockets()
  const http2Sessions = new Http2Sessions()
  const http2Start = start.http2 && (await openHttp2(start.http2))
  if (http2Start !== undefined) shareMetrics(http2Start.termination.counts)
  const connections = { servers: () => [...serving], mover, websockets, http2Sessions, chance: Math.random }
  const streamToken = start.http2 && Buffer.from(start.forwardToken, 'latin1')
  drain = new Drain({ runtime, inFlight, outbox, ...connections })

  hookAppListen(
    runtime,
    servers,
    (server, place) => {
      const words = joinPool()
      for (const other of serving) if (!other.listening && connectionCountOf(other) === 0) serving.delete(other)
      serving.add(server)
      if (!receivers.has(server)) addServer(server, words)
      runtime.send({ switchyard: 'header-limit', bytes: headerLimitOf(server) })
      return place.tlsTickets && ticketLoader.adopt(server, place)
    },
    (server) => http2Sessions.endAllOf(server),
  )
  if (start.listens === false) {
    joinPool()
    announceStart(runtime)
  }

  /** Loaded only in workers with a listener that asks for it. */
  async function openHttp2(listeners: NonNullable<Runtime['start']['http2']>) {
    const [{ Http2Termination }, { CutReports }] = await Promise.all([
      import('./http2/http2-termination.ts'),
      import('./http2/cut-reports.ts'),
    ])
    const steer = steering && (await openStreamSteering(listeners, steering))
    const cuts = new CutReports(runtime)
    return { termination: new Http2Termination({ listeners, sessions: http2Sessions, steer, cuts }), steer }
  }

  async function openStreamSteering(listeners: NonNullable<Runtime['start']['http2']>, steering: Steering) {
    const { StreamSteering } = await import('./streams/stream-steering.ts')
    const isDraining = () => mover.isDraining
    return new StreamSteering({ listeners, steering, placement, spread, token: start.forwardToken, isDraining }).take
  }

  /** Opens this worker's row of the load board and begins to report. Does nothing the second time. */
  function joinPool(): Int32Array {
    if (row !== undefined) return row
    row = end.receive({ onOffer: receive, onAnswer: (id, verdict) => placement.onAnswer(id, verdict) })
    // From here on the app keeps the process alive, as it does outside a pool.
    runtime.keepAlive(false)
    slots = new ReadySlots(row, start.weights)
    inFlight.publish(row, () => end.loopIsBusy(), end.sharesWords)
    routeRequests.publish(routeCountersOf(row))
    const reportLoad = startLoadReports(runtime, inFlight, row, () => observer?.blocking.onTick())
    observer?.startReports(runtime)
    startSessionReports(runtime, sessionsStatus)
    const reportMetrics = startMetricReports({ runtime, exemplars: new RouteExemplars(routeRequests) })
    reportLast = () => {
      reportLoad()
      reportMetrics()
      handshakes.report()
    }
    const { maxConnectionAgeMs = 0 } = start
    if (maxConnectionAgeMs > 0) new ConnectionAges({ maxAgeMs: maxConnectionAgeMs, ...connections }).start()
    return row
  }

  function addServer(server: Server, row: Int32Array): void {
    if (server instanceof TlsServer) handshakes.watch(server)
    const beginsWithTls = server instanceof TlsServer ? () => true : ending && ((tag: number) => ending.termination.isFor(tag))
    const tls = beginsWithTls && { beginsWithTls, hellos: ticketLoader }
    const http2 = http2Start?.termination
    const mayBeHttp2 = http2 && server instanceof HttpServer ? (tag: number) => http2.isFor(tag) : undefined
    const receiver = new Receiver(server, inFlight, () => end.loopIsFree(), tls, mayBeHttp2)
    receivers.set(server, receiver)
    hookRequests(server, {
      countConnections: publishConnections(server, row, rowWords.connections),
      receiver,
      forwarded: new ForwardedRequests(server, start.forwardToken),
      inFlight,
      accessLog,
      spans,
      ticketCookies,
      visitorCookies,
      explainHeader,
      steering,
      rest,
      bound,
      mover,
      websockets,
      http2Sessions,
      ownStreams: speaksHttp2Itself(server) ? new OwnStreams({ server, inFlight, accessLog, steer: http2Start?.steer }) : undefined,
      streamToken,
      outbox,
      termination: ending?.termination,
      http2,
      hsts: ending?.hsts,
      ticketLoader,
      healthPath: start.healthPath,
    })
  }

  function receive(offer: Offer): void {
    spans.poll(offer.offeredUs)
    const server = servers.serverFor(listenerOf(offer.tag))
    const receiver = server && receivers.get(server)
    if (receiver !== undefined) return receiver.receive(offer)
    // Its server closed long ago. Node resets connections that a closing server has not accepted; so do we.
    offer.claim(0)
    offer.release()
    inFlight.countReceived()
  }

  function exit(): void {
    for (const server of serving) closeListeningSocket(server)
    runtime.keepAlive(false)
    unrefSessions()
    // The default action of a signal ends the process without its 'exit' event.
    reportLast()
    // The signal, or the app, may end the process without another turn of the loop.
    accessLog?.flush()
    const signal = stopSignal ?? usualStopSignal()
    // The default action of the signal would cut off an app that shuts down on the message.
    if (start.shutdownMessage === true && sendShutdownMessage() && process.listenerCount(signal) === 0) return
    signals.send(signal)
  }
}

/** Ends TLS for the app. Loaded only in workers that do. */
async function openTermination(
  ended: readonly TlsListenerStart[],
  listeners: NonNullable<Runtime['start']['listeners']>,
  tickets: TicketLoader,
  handshakes: Handshakes,
) {
  const [{ TlsTermination }, { HstsFields }] = await Promise.all([
    import('./server/tls/tls-termination.ts'),
    import('./server/tls/hsts.ts'),
  ])
  const onServer = (server: TlsServer, listener: number): void => {
    tickets.adoptHidden(server, listeners.find(({ number }) => number === listener) ?? {})
    handshakes.watch(server)
  }
  return { termination: new TlsTermination(ended, onServer), hsts: HstsFields.of(ended) }
}

/** The server's limit on bytes of header fields. An unset limit is that of `--max-http-header-size`. */
function headerLimitOf(server: Server): number {
  if (!(server instanceof HttpServer || server instanceof TlsServer)) return 0
  return (server as { maxHeaderSize?: number | undefined }).maxHeaderSize || maxHeaderSize
}
