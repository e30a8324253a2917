// Drain in the worker: take nothing new, let the old finish, tell the primary when nothing is left.

import { Server as HttpServer } from 'node:http'
import { Server as HttpsServer } from 'node:https'
import type { Server } from 'node:net'
import type { Reception } from './receive.ts'
import type { Runtime } from './runtime.ts'

const LOOK_MS = 25

type DrainListener = () => void | Promise<void>

const listeners: DrainListener[] = []

/** Calls `listener` once when this worker begins to drain. What it throws is logged by the process as unhandled. */
export function onDrain(listener: DrainListener): void {
  listeners.push(listener)
}

/** Begins to drain; later calls do nothing. */
export function drain(runtime: Runtime, server: Server, reception: Reception): void {
  if (reception.draining) return
  reception.draining = true
  const hooks = listeners.map(async (listener) => listener())
  const look = setInterval(() => {
    if (server instanceof HttpServer || server instanceof HttpsServer) server.closeIdleConnections()
    server.getConnections((_error, count) => {
      if (count > 0 || ended) return
      ended = true
      clearInterval(look)
      void Promise.allSettled(hooks).then(() => runtime.send({ switchyard: 'drained' }))
    })
  }, LOOK_MS)
  let ended = false
  server.close()
}
