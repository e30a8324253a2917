// Health probes of upstream servers. Each proxy worker probes for itself, because a server may be reachable from one host and not from another.

import { ForwardRequest } from '../../forward/unobserved.ts'
import type { UpstreamProbe } from '../../upstream-start.ts'
import type { UpstreamServer } from './upstream-server.ts'
import { nameOf } from './upstream-servers.ts'

export interface ServerProbesOptions {
  readonly probe: UpstreamProbe
  readonly hostFor: (server: UpstreamServer) => string
  readonly log: (line: string) => void
  /** 0 to 1. */
  readonly chance: () => number
}

/** Returns what begins and ends probes when the list of servers has changed. The timers do not keep the process alive. */
export function serverProbes(options: ServerProbesOptions): (servers: readonly UpstreamServer[]) => void {
  const running = new Map<UpstreamServer, ServerProbes>()
  return (servers) => {
    for (const [server, probes] of running) {
      if (servers.includes(server)) continue
      probes.stop()
      running.delete(server)
    }
    for (const server of servers) {
      if (running.has(server)) continue
      const probes = new ServerProbes(server, options)
      running.set(server, probes)
      probes.start()
    }
  }
}

class ServerProbes {
  private readonly server: UpstreamServer
  private readonly options: ServerProbesOptions
  private failures = 0
  private timer: NodeJS.Timeout | undefined
  private isStopped = false

  constructor(server: UpstreamServer, options: ServerProbesOptions) {
    this.server = server
    this.options = options
  }

  start(): void {
    // Workers that started together do not probe together.
    this.wait(this.options.probe.intervalMs * this.options.chance())
  }

  stop(): void {
    this.isStopped = true
    clearTimeout(this.timer)
  }

  private wait(ms: number): void {
    this.timer = setTimeout(() => this.probe(), ms)
    this.timer.unref()
  }

  private probe(): void {
    const { server, options } = this
    const { path, timeoutMs, headers } = options.probe
    let isDone = false
    const request = new ForwardRequest({
      createConnection: () => server.connections.open(),
      method: 'GET',
      path,
      headers: { Host: options.hostFor(server), 'User-Agent': 'switchyard', ...headers, Connection: 'close' },
    })
    const done = (fault: string | undefined): void => {
      if (isDone) return
      isDone = true
      clearTimeout(timer)
      request.destroy()
      this.onResult(fault)
    }
    const timer = setTimeout(done, timeoutMs, `no answer in ${timeoutMs} ms`)
    timer.unref()
    request.on('response', (answer) => {
      const [from, to] = options.probe.status
      const { statusCode = 0 } = answer
      answer.resume()
      done(statusCode >= from && statusCode <= to ? undefined : `status ${statusCode}`)
    })
    request.on('error', (error) => done(error.message))
    request.on('close', () => done('no answer'))
    request.end()
  }

  private onResult(fault: string | undefined): void {
    const { server, options } = this
    if (this.isStopped) return
    const { failures, intervalMs } = options.probe
    this.failures = fault === undefined ? 0 : this.failures + 1
    if (fault === undefined && server.onProbe(true)) options.log(`${nameOf(server)} answers its probes again`)
    if (this.failures >= failures && server.onProbe(false))
      options.log(`${nameOf(server)} gets no requests: ${failures} probes failed in a row, the last one with ${fault}`)
    this.wait(intervalMs)
  }
}
