// The preload (`node --import`): whatever listens in this process joins the pool. The app needs no change.

import type { Server } from 'node:net'
import { isMainThread } from 'node:worker_threads'
import { publishConnections, rowWords, ToldSeats } from '@switchyard/handoff'
import { Asking } from './asking.ts'
import { drain } from './drain.ts'
import { ForwardedRequests } from './forward/forwarded.ts'
import { Forwarder } from './forward/forwarder.ts'
import { openGate } from './gate.ts'
import { InFlight } from './in-flight.ts'
import { joinOnListen } from './join.ts'
import { Reception } from './receive.ts'
import { startReports } from './report.ts'
import { Rest } from './rest.ts'
import { openRuntime, type Runtime } from './runtime.ts'
import { Steering } from './steer.ts'
import { TicketCookies } from './ticket-cookie.ts'
import { buildRoutes } from './worker-routes.ts'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

const runtime = isMainThread ? openRuntime(process.env) : undefined

if (runtime !== undefined) {
  // The primary may have to ask where this process hangs: its inspector, when it is opened, must not need the port that another's has.
  if (!process.execArgv.some((argument) => /^--(inspect|debug)/.test(argument))) process.debugPort = 0
  await register(runtime)
}

async function register(runtime: Runtime): Promise<void> {
  const inFlight = new InFlight()
  let serving: { server: Server; reception: Reception } | undefined
  let told: ToldSeats | undefined
  let words: Int32Array | undefined

  // Ctrl-C on a terminal, or a supervisor, signals the whole process group; the primary alone decides when a worker leaves.
  const ignore = () => {}
  for (const signal of SIGNALS) process.on(signal, ignore)
  runtime.onMessage(({ switchyard }) => {
    if (switchyard === 'leave') {
      for (const signal of SIGNALS) process.off(signal, ignore)
      process.kill(process.pid, 'SIGTERM')
    } else if (serving === undefined) runtime.send({ switchyard: 'drained' })
    else drain(runtime, serving.server, serving.reception)
  })

  const table = await buildRoutes(runtime, () => told?.list ?? [])
  const { end } = runtime
  const { outbox } = end
  const asking = new Asking(runtime, outbox)
  const cookies = TicketCookies.areNeeded(table) ? new TicketCookies(runtime, table) : undefined
  const forwarder = new Forwarder({ token: runtime.start.forwardToken })
  const isSteered = Steering.isNeeded(table, runtime.start.pool)
  const steering = isSteered ? new Steering({ runtime, table, asking, forwarder, outbox }) : undefined
  const rest = new Rest(runtime.start.rest, table, outbox, inFlight, () => serving?.server as Server)

  joinOnListen(runtime, (server, address) => {
    const first = serving === undefined
    const reception = new Reception(server, inFlight)
    serving = { server, reception }
    openGate(server, {
      reception,
      inFlight,
      cookies,
      steering,
      rest,
      outbox,
      forwarded: new ForwardedRequests(server, runtime.start.forwardToken),
    })
    words ??= end.receive({
      onOffer: (offer) => serving?.reception.receive(offer),
      onAnswer: (id, verdict) => asking.onAnswer(id, verdict),
    })
    publishConnections(server, words, rowWords.connections)
    if (!first) return
    told = new ToldSeats(words, runtime.start.weights)
    inFlight.publish(words, () => end.loopIsBusy())
    startReports(runtime, inFlight, () => serving?.server as Server)
    runtime.send({ switchyard: 'listening', address })
  })
}
