// Asks a worker how it is: a request over its private socket, and who repeats it. Speaks from the primary's point of view.

import { type ClientRequest, type IncomingMessage, request as sendRequest } from 'node:http'
import { probeField } from '@switchyard/worker-runtime'
import type { HealthProbe, Probe } from '../../settings.ts'

/** More of a body than this is not read: the status is what counts. */
const MAX_BODY_BYTES = 1_048_576

/** Whom to ask. */
export interface Probed {
  readonly socketPath: string
  /** Proves that it is we who ask. */
  readonly token: string
}

/** `reason`: why it was not well, in a few words; undefined: it was. */
export interface ProbeResult {
  readonly reason: string | undefined
}

/** One probe that is under way. */
export interface ProbeRun {
  readonly result: Promise<ProbeResult>
  /** Ends it; the result says so. */
  cancel(): void
}

/** Sends one request; its result comes within `timeoutMs`, whatever the worker does. Rejects never. */
export function probe({ socketPath, token }: Probed, settings: Probe): ProbeRun {
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
  // Not what was asked for, and no answer that ends.
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

/** A list keeps its order: ours is the last. */
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

export interface ProberOptions extends Probed {
  /** undefined: it is ready as it is. */
  readonly readyWhen: Probe | undefined
  /** undefined: nobody asks again. */
  readonly healthWhen: HealthProbe | undefined
  /** Once. */
  readonly onReady: () => void
  /** It has failed so often in a row. Once, until it is well again. */
  readonly onSick: (reason: string) => void
  /** After it was sick. */
  readonly onWell: () => void
}

/** Asks one worker until it is ready, and then whether it is still well. To be stopped when the worker drains or is gone. */
export class Prober {
  /** Why the last probe failed; undefined: it did not. */
  lastFailure: string | undefined
  private readonly options: ProberOptions
  private run: ProbeRun | undefined
  private timer: NodeJS.Timeout | undefined
  private stopped = false
  private failures = 0

  constructor(options: ProberOptions) {
    this.options = options
  }

  /** The app listens. */
  start(): void {
    void this.work()
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
    this.run?.cancel()
  }

  private async work(): Promise<void> {
    const { readyWhen, healthWhen, onReady } = this.options
    if (readyWhen !== undefined) {
      while (!(await this.isWell(readyWhen))) {
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
      this.record(await this.isWell(healthWhen), healthWhen)
    }
  }

  private record(isWell: boolean, { failures }: HealthProbe): void {
    if (this.stopped) return
    const wasSick = this.failures >= failures
    this.failures = isWell ? 0 : this.failures + 1
    if (isWell && wasSick) this.options.onWell()
    if (this.failures === failures && !wasSick) this.options.onSick(this.lastFailure ?? '')
  }

  private async isWell(settings: Probe): Promise<boolean> {
    if (this.stopped) return false
    this.run = probe(this.options, settings)
    const { reason } = await this.run.result
    this.run = undefined
    if (!this.stopped) this.lastFailure = reason
    return reason === undefined
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.timer = setTimeout(resolve, ms)
    })
  }
}
