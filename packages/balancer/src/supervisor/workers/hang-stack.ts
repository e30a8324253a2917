// Where a process that hangs is in its code. SIGUSR1 makes Node open its inspector from a thread of its own, even while the main loop is busy; the
// port stands on stderr. The inspector is asked to pause, and says which calls it is in: in a loop, in a regular expression, even in Atomics.wait. An app may print
// the same line, with words of a client in it: so only a port is connected to that the process itself listens on.

import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { listensOn } from './port-check.ts'

const MAX_FRAMES = 20
const MAX_NAME = 200
/** Scripts tell their source maps, which may be large. */
const MAX_MESSAGE_BYTES = 16 * 2 ** 20
const MAX_SCRIPTS = 50_000
/** Of a server that is no inspector no answer is waited for. */
const HANDSHAKE_MS = 500
const MAX_URLS = 8
const LISTENING = /^Debugger listening on (ws:\/\/127\.0\.0\.1:(\d{1,5})\/[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/
const TALK = /^(For help, see: https:\/\/nodejs\.org\/|Debugger attached\.|Debugger ending on |Waiting for the debugger to disconnect)/

/** Where an inspector may be. */
interface Place {
  readonly url: string
  readonly port: number
}

/** Listens to what one process says on stderr, so that its inspector is found when it is needed. */
export class HangStackReader {
  private readonly pid: number
  /** Said before it was asked for: by an inspector that was opened otherwise, or by the app. */
  private earlier: Place | undefined
  private readonly said: Place[] = []
  private asked = false
  private onSaid: () => void = () => {}

  constructor(pid: number) {
    this.pid = pid
  }

  /** To be called with every line. True: it is about the inspector that was opened from here, and nothing that the app says. */
  hear(line: string): boolean {
    const [, url, port] = LISTENING.exec(line) ?? []
    if (url === undefined) return this.asked && TALK.test(line)
    const place = { url, port: Number(port) }
    if (!this.asked) this.earlier = place
    else if (this.said.length < MAX_URLS) {
      this.said.push(place)
      this.onSaid()
    }
    return this.asked
  }

  /**
   * One line for each call, the innermost first; undefined: it could not be told within `timeoutMs`, because the process is in a native call, has a
   * listener of its own for the signal, or is gone. For a process that is killed afterwards: it may have been paused.
   */
  async read(timeoutMs = 1000): Promise<string | undefined> {
    const deadline = AbortSignal.timeout(timeoutMs)
    const stack = this.earlier && (await this.stackAt(this.earlier, deadline))
    if (stack !== undefined || !this.ask()) return stack
    for (let next = 0; ; next++) {
      while (next >= this.said.length) {
        if (next >= MAX_URLS || !(await this.hearsMore(deadline))) return undefined
      }
      const stack = await this.stackAt(this.said[next] as Place, deadline)
      if (stack !== undefined) return stack
    }
  }

  private async stackAt({ url, port }: Place, deadline: AbortSignal): Promise<string | undefined> {
    return (await listensOn(this.pid, port)) ? pausedStack(url, deadline) : undefined
  }

  /** False: there is no such process, or it is not ours to ask. */
  private ask(): boolean {
    this.asked = true
    // 0 would be all of us.
    if (this.pid <= 0) return false
    try {
      return process.kill(this.pid, 'SIGUSR1')
    } catch {
      return false
    }
  }

  /** False: time is up. */
  private hearsMore(deadline: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      if (deadline.aborted) return resolve(false)
      const onTime = () => resolve(false)
      deadline.addEventListener('abort', onTime, { once: true })
      this.onSaid = () => {
        deadline.removeEventListener('abort', onTime)
        resolve(true)
      }
    })
  }
}

function pausedStack(url: string, deadline: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: MAX_MESSAGE_BYTES, handshakeTimeout: HANDSHAKE_MS })
    const end = (stack: string | undefined) => {
      resolve(stack)
      socket.terminate()
    }
    if (deadline.aborted) end(undefined)
    deadline.addEventListener('abort', () => end(undefined), { once: true })
    const scripts = new Map<unknown, unknown>()
    socket.on('error', () => end(undefined))
    socket.on('close', () => end(undefined))
    socket.on('open', () => {
      socket.send('{"id":1,"method":"Debugger.enable"}')
      socket.send('{"id":2,"method":"Debugger.pause"}')
    })
    socket.on('message', (data) => {
      const { method, params } = recordOf(parse(String(data)))
      const { scriptId, url, callFrames } = recordOf(params)
      if (method === 'Debugger.scriptParsed' && scripts.size < MAX_SCRIPTS) scripts.set(scriptId, url)
      else if (method === 'Debugger.paused') end(stackOf(callFrames, scripts))
    })
  })
}

/** Lines as those of an error. Undefined when there are none. */
function stackOf(callFrames: unknown, scripts: ReadonlyMap<unknown, unknown>): string | undefined {
  if (!Array.isArray(callFrames) || callFrames.length === 0) return undefined
  const { functionName, location } = recordOf(callFrames[0])
  // Node tells the process that its inspector has been opened, wherever its code is at that moment, and may be paused right there.
  const isNodes = functionName === 'emit' && scripts.get(recordOf(location).scriptId) === 'node:events'
  const calls = isNodes && callFrames.length > 1 ? callFrames.slice(1) : callFrames
  const lines = calls.slice(0, MAX_FRAMES).map((frame: unknown) => {
    const { functionName, location } = recordOf(frame)
    const { scriptId, lineNumber, columnNumber } = recordOf(location)
    // The inspector counts from 0, people from 1.
    const place = `${pathOf(scripts.get(scriptId))}:${Number(lineNumber) + 1}:${Number(columnNumber) + 1}`
    const name = String(functionName).slice(0, MAX_NAME)
    return name === '' ? `at ${place}` : `at ${name} (${place})`
  })
  const more = calls.length - lines.length
  return [...lines, ...(more > 0 ? [`and ${more} more`] : [])].join('\n')
}

function pathOf(url: unknown): string {
  const text = typeof url === 'string' && url !== '' ? url : '<anonymous>'
  try {
    return text.startsWith('file:') ? fileURLToPath(text) : text.slice(0, MAX_NAME)
  } catch {
    return text
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
