// Sends readiness and health probes from the primary to a worker: HTTP requests over its private socket.

import { type ClientRequest, type IncomingMessage, request as sendRequest } from 'node:http'
import { probeField } from '@switchyard/worker-runtime'
import type { HealthProbe, Probe } from '../../settings.ts'

/** The rest of a longer body is not read: only the status counts. */
const MAX_BODY_BYTES = 1_048_576

/** The worker to probe. */
export interface ProbeTarget {
  readonly socketPath: string
  /** Proves to the worker that the request comes from the primary. */
  readonly token: string
}

/** `reason`: why the probe failed, in a few words; undefined if it passed. */
export interface ProbeResult {
  readonly reason: string | undefined
}

/** One probe under way. */
export interface RunningProbe {
  readonly result: Promise<ProbeResult>
  /** Ends the probe; its result is a failure. */
  cancel(): void
}

/** Sends one probe. Its result comes within `timeoutMs`, and never rejects. */
export function probe({ socketPath, token }: ProbeTarget, settings: Probe): RunningProbe {
  let cancel = () => {}
  const result = new Promise<ProbeResult>((resolve) => {
    let request: ClientRequest
    try {
      request = sendRequest({ socketPath, path: settings.path, headers: fieldsOf(settings, token), agent: false })
    } catch (error) {
      return resolve({ reason: (error as Error).message })
    }
    const end = (reason: string | undefined) => {
      clearTimeout(timer)
      resolve({ reason })
      request.destroy()
    }
    const timer = setTimeout(() => end(`no answer within ${settings.timeoutMs} ms`), settings.timeoutMs)
    cancel = () => end('cancelled')
    listen(request, settings, end)
    request.end()
  })
  return { result, cancel }
}

function listen(request: ClientRequest, { status: [from, to], path }: Probe, end: (reason: string | undefined) => void): void {
  request.on('error', (error: NodeJS.ErrnoException) => end(`${path}: ${error.code ?? error.message}`))
  // The probe did not ask for an upgrade, and such a response has no end.
  request.on('upgrade', () => end(`${path}: 101`))
  request.on('response', (response: IncomingMessage) => {
    const status = response.statusCode as number
    if (status < from || status > to) return end(`${path}: ${status}`)
    let bytes = 0
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_BODY_BYTES) end(undefined)
    })
    response.on('end', () => end(undefined))
    response.on('error', (error: NodeJS.ErrnoException) => end(`${path}: ${error.code ?? error.message}`))
  })
}

/** The header fields as a flat list, which keeps their order. The primary's own field is the last. */
function fieldsOf({ headers }: Probe, token: string): string[] {
  const own = Object.entries(headers)
  const has = (name: string) => own.some(([other]) => other.toLowerCase() === name)
  const fields = [
    ...(has('host') ? [] : [['host', 'localhost']]),
    ...(has('user-agent') ? [] : [['user-agent', 'switchyard-probe']]),
    ...own,
  ]
  return [...fields, ['connection', 'close'], probeField(token)].flat()
}

export interface ProberOptions extends ProbeTarget {
  /** Undefined: the worker is ready without a probe. */
  readonly readyWhen: Probe | undefined
  /** Undefined: a ready worker is not probed. */
  readonly healthWhen: HealthProbe | undefined
  /** Called once. */
  readonly onReady: () => void
  /** The health probe failed `failures` times in a row. Called again only after it has passed in between. */
  readonly onUnhealthy: (reason: string) => void
}

/** Probes one worker until it is ready, and then its health. Stop it when the worker is gone. */
export class Prober {
  /** Why the last probe failed; undefined if it passed. */
  lastFailure: string | undefined
  private readonly options: ProberOptions
  private running: RunningProbe | undefined
  private timer: NodeJS.Timeout | undefined
  private stopped = false
  private failures = 0

  constructor(options: ProberOptions) {
    this.options = options
  }

  /** Call it when the app listens. */
  start(): void {
    void this.run()
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
    this.running?.cancel()
  }

  private async run(): Promise<void> {
    const { readyWhen, healthWhen, onReady } = this.options
    if (readyWhen !== undefined) {
      while (!(await this.passes(readyWhen))) {
        if (this.stopped) return
        await this.pause(readyWhen.intervalMs)
      }
    }
    if (this.stopped) return
    onReady()
    if (healthWhen === undefined) return
    for (;;) {
      await this.pause(healthWhen.intervalMs)
      if (this.stopped) return
      this.record(await this.passes(healthWhen), healthWhen)
    }
  }

  private record(hasPassed: boolean, { failures }: HealthProbe): void {
    if (this.stopped) return
    this.failures = hasPassed ? 0 : this.failures + 1
    if (this.failures === failures) this.options.onUnhealthy(this.lastFailure ?? '')
  }

  private async passes(settings: Probe): Promise<boolean> {
    if (this.stopped) return false
    this.running = probe(this.options, settings)
    const { reason } = await this.running.result
    this.running = undefined
    if (!this.stopped) this.lastFailure = reason
    return reason === undefined
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.timer = setTimeout(resolve, ms)
    })
  }
}
