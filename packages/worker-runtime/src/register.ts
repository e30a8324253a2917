// The preload (`node --import`): whatever listens in this process joins the pool. The app needs no change.

import type { Server } from 'node:net'
import { isMainThread } from 'node:worker_threads'
import { receiveOffers } from '@switchyard/handoff'
import { drain } from './drain.ts'
import { InFlight } from './in-flight.ts'
import { joinOnListen } from './join.ts'
import { Reception } from './receive.ts'
import { startReports } from './report.ts'
import { openRuntime, ticketRoutes } from './runtime.ts'
import { TicketCookies } from './ticket-cookie.ts'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

const runtime = isMainThread ? openRuntime(process.env) : undefined

if (runtime !== undefined) {
  const inFlight = new InFlight()
  const routes = ticketRoutes(runtime.start)
  const cookies = routes === undefined ? undefined : new TicketCookies(runtime, routes)
  let serving: { server: Server; reception: Reception } | undefined

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
  joinOnListen(runtime, (server, address) => {
    const first = serving === undefined
    serving = { server, reception: new Reception(server, inFlight, cookies) }
    if (!first) return
    inFlight.publish(receiveOffers(runtime.start.ends, (offer) => serving?.reception.receive(offer)))
    startReports(runtime, inFlight, () => serving?.server as Server)
    runtime.send({ switchyard: 'listening', address })
  })
}
