// Where a process that hangs is in its code. SIGUSR1 makes Node open its inspector from a thread of its own, even while the main loop is busy; the
// port stands on stderr. The inspector is asked to pause, and says which calls it is in: in a loop, in a regular expression, even in Atomics.wait.

import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'

const MAX_FRAMES = 20
const MAX_NAME = 200
/** Scripts tell their source maps, which may be large. */
const MAX_MESSAGE_BYTES = 16 * 2 ** 20
const LISTENING = /^Debugger listening on (ws:\/\/\S+)$/
const TALK = /^(For help, see: https:\/\/nodejs\.org\/|Debugger attached\.|Debugger ending on |Waiting for the debugger to disconnect)/

/** Listens to what one process says on stderr, so that its inspector is found when it is needed. */
export class StackReader {
  private readonly pid: number
  private url: string | undefined
  private asked = false
  private onUrl: ((url: string) => void) | undefined

  constructor(pid: number) {
    this.pid = pid
  }

  /** To be called with every line. True: it is about the inspector that was opened from here, and nothing that the app says. */
  hear(line: string): boolean {
    const [, url] = LISTENING.exec(line) ?? []
    if (url === undefined) return this.asked && TALK.test(line)
    this.url = url
    this.onUrl?.(url)
    return this.asked
  }

  /**
   * One line for each call, the innermost first; undefined: it could not be told within `timeoutMs`, because the process is in a native call, has a
   * listener of its own for the signal, or is gone. For a process that is killed afterwards: it may have been paused.
   */
  async read(timeoutMs = 1000): Promise<string | undefined> {
    const deadline = AbortSignal.timeout(timeoutMs)
    const url = this.url ?? (await this.open(deadline))
    return url === undefined ? undefined : pausedStack(url, deadline)
  }

  private open(deadline: AbortSignal): Promise<string | undefined> {
    this.asked = true
    return new Promise((resolve) => {
      // 0 would be all of us.
      if (this.pid <= 0) return resolve(undefined)
      this.onUrl = resolve
      deadline.addEventListener('abort', () => resolve(undefined), { once: true })
      try {
        process.kill(this.pid, 'SIGUSR1')
      } catch {
        resolve(undefined)
      }
    })
  }
}

function pausedStack(url: string, deadline: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: MAX_MESSAGE_BYTES })
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
      if (method === 'Debugger.scriptParsed') scripts.set(scriptId, url)
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
