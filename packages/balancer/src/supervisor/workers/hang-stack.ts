// Finds the line of code at which a worker hangs, from the primary. SIGUSR1 makes Node open its inspector from a thread of its own, even while the
// main loop is busy, and print the inspector's address on stderr. Debugger.pause then returns the call stack, also from within a regular expression
// or Atomics.wait. An app may print an address too, with text of a client in it: so the primary connects only to a port on which the worker itself
// listens, as the kernel says.

import { fileURLToPath } from 'node:url'
import { listensOn } from '../../system/listens-on.ts'
import { type Script, SourcePositions } from './source-maps.ts'

const MAX_FRAMES = 20
const MAX_NAME = 200
/** Messages about scripts contain their source maps, which may be large. */
const MAX_MESSAGE_BYTES = 16 * 2 ** 20
const MAX_SCRIPTS = 50_000
/** A server that is no inspector may never answer. */
const HANDSHAKE_TIMEOUT_MS = 500
const MAX_INSPECTORS = 8
export const INSPECTOR_ADDRESS = /^Debugger listening on (ws:\/\/127\.0\.0\.1:(\d{1,5})\/[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/
const INSPECTOR_LINE =
  /^(For help, see: https:\/\/nodejs\.org\/|Debugger attached\.|Debugger ending on |Waiting for the debugger to disconnect)/

/** Where an inspector may listen, as a line on stderr says. */
interface Inspector {
  readonly url: string
  readonly port: number
}

/** Reads the lines that one process prints on stderr for the address of its inspector, and its stack on request. */
export class HangStackReader {
  private readonly pid: number
  private readonly mapsSources: boolean
  /** Printed before the primary opened the inspector: it was opened in another way, or the app printed the line. */
  private earlierInspector: Inspector | undefined
  private readonly inspectors: Inspector[] = []
  private isRequested = false
  private onInspector: () => void = () => {}

  /** `mapsSources`: lines of compiled code are shown as lines of their sources. */
  constructor(pid: number, mapsSources = true) {
    this.pid = pid
    this.mapsSources = mapsSources
  }

  /** Call it with every line. Returns true if the line is Node's message about the inspector that the primary opened, not output of the app. */
  onLine(line: string): boolean {
    const [, url, port] = INSPECTOR_ADDRESS.exec(line) ?? []
    if (url === undefined) return this.isRequested && INSPECTOR_LINE.test(line)
    const inspector = { url, port: Number(port) }
    if (!this.isRequested) this.earlierInspector = inspector
    else if (this.inspectors.length < MAX_INSPECTORS) {
      this.inspectors.push(inspector)
      this.onInspector()
    }
    return this.isRequested
  }

  /**
   * Resolves with one line for each call, innermost first. Undefined if there is no stack within `timeoutMs`: the process is in a native call, has a
   * SIGUSR1 listener of its own, or is gone. Only for a process that is killed afterwards, since it may stay paused.
   */
  async read(timeoutMs = 1000): Promise<string | undefined> {
    const deadline = AbortSignal.timeout(timeoutMs)
    const stack = this.earlierInspector && (await this.stackAt(this.earlierInspector, deadline))
    if (stack !== undefined || !this.requestInspector()) return stack
    for (let next = 0; ; next++) {
      while (next >= this.inspectors.length) {
        if (next >= MAX_INSPECTORS || !(await this.untilInspector(deadline))) return undefined
      }
      const stack = await this.stackAt(this.inspectors[next] as Inspector, deadline)
      if (stack !== undefined) return stack
    }
  }

  private async stackAt({ url, port }: Inspector, deadline: AbortSignal): Promise<string | undefined> {
    return (await listensOn(this.pid, port)) ? pausedStack(url, this.mapsSources, deadline) : undefined
  }

  /** Returns false if the process is gone or may not be signalled. */
  private requestInspector(): boolean {
    this.isRequested = true
    // Pid 0 would signal the whole process group.
    if (this.pid <= 0) return false
    try {
      return process.kill(this.pid, 'SIGUSR1')
    } catch {
      return false
    }
  }

  /** Resolves with false when time is up. */
  private untilInspector(deadline: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      if (deadline.aborted) return resolve(false)
      const onTimeout = () => resolve(false)
      deadline.addEventListener('abort', onTimeout, { once: true })
      this.onInspector = () => {
        deadline.removeEventListener('abort', onTimeout)
        resolve(true)
      }
    })
  }
}

async function pausedStack(url: string, mapsSources: boolean, deadline: AbortSignal): Promise<string | undefined> {
  // Hangs are rare, and ws takes memory. Its file may be gone by now, with the release.
  const ws = await import('ws').catch(() => undefined)
  if (ws === undefined) return undefined
  return new Promise((resolve) => {
    const socket = new ws.WebSocket(url, {
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    })
    const end = (stack: string | undefined) => {
      resolve(stack)
      socket.terminate()
    }
    /** The stack without source maps, while those are read. */
    let plain: string | undefined
    if (deadline.aborted) end(undefined)
    deadline.addEventListener('abort', () => end(plain), { once: true })
    const scripts = new Map<unknown, Script>()
    socket.on('error', () => end(plain))
    socket.on('close', () => plain === undefined && end(undefined))
    socket.on('open', () => {
      socket.send('{"id":1,"method":"Debugger.enable"}')
      socket.send('{"id":2,"method":"Debugger.pause"}')
    })
    socket.on('message', (data) => {
      const { method, params } = recordOf(parse(String(data)))
      const { scriptId, url, sourceMapURL, callFrames } = recordOf(params)
      if (method === 'Debugger.scriptParsed' && scripts.size < MAX_SCRIPTS) scripts.set(scriptId, scriptOf(url, sourceMapURL))
      else if (method === 'Debugger.paused' && plain === undefined) {
        const frames = framesOf(callFrames, scripts)
        if (frames.length === 0) return end(undefined)
        plain = stackOf(frames)
        if (mapsSources) void mapped(frames).then((frames) => end(stackOf(frames)))
        else end(plain)
      }
    })
  })
}

/** One call of a stack. Line and column count from 0. */
interface Frame {
  readonly name: string
  readonly script: Script
  readonly path: string
  readonly line: number
  readonly column: number
}

function framesOf(callFrames: unknown, scripts: ReadonlyMap<unknown, Script>): Frame[] {
  if (!Array.isArray(callFrames)) return []
  const frames = callFrames.map((frame: unknown) => {
    const { functionName, location } = recordOf(frame)
    const { scriptId, lineNumber, columnNumber } = recordOf(location)
    const script = scripts.get(scriptId) ?? scriptOf(undefined, undefined)
    return { name: String(functionName), script, path: pathOf(script.url), line: Number(lineNumber), column: Number(columnNumber) }
  })
  // Opening the inspector emits an event in the main thread, wherever its code is, and the pause may fall into that call.
  const isInspectorEvent = frames[0]?.name === 'emit' && frames[0].script.url === 'node:events'
  return isInspectorEvent && frames.length > 1 ? frames.slice(1) : frames
}

/** The frames that are shown, as positions in their sources where these are known. */
async function mapped(frames: readonly Frame[]): Promise<Frame[]> {
  const positions = new SourcePositions()
  const found = frames.slice(0, MAX_FRAMES).map(async (frame) => {
    const position = await positions.find(frame.script, frame.line, frame.column)
    return position === undefined ? frame : { ...frame, ...position }
  })
  return [...(await Promise.all(found)), ...frames.slice(MAX_FRAMES)]
}

/** The call stack in the form of an error's stack. */
function stackOf(frames: readonly Frame[]): string {
  const lines = frames.slice(0, MAX_FRAMES).map(({ name, path, line, column }) => {
    const place = `${path}:${line + 1}:${column + 1}`
    return name === '' ? `at ${place}` : `at ${name.slice(0, MAX_NAME)} (${place})`
  })
  const more = frames.length - lines.length
  return [...lines, ...(more > 0 ? [`and ${more} more`] : [])].join('\n')
}

function scriptOf(url: unknown, mapUrl: unknown): Script {
  return { url: typeof url === 'string' ? url : '', mapUrl: typeof mapUrl === 'string' ? mapUrl : '' }
}

function pathOf(url: string): string {
  const text = url === '' ? '<anonymous>' : url
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
