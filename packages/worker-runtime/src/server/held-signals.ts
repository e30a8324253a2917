// Holds back the signals that end a process. Ctrl-C or a supervisor signals the whole process group, but the primary decides when a worker exits.
// So signals from the kernel are ignored; the app's listeners are called when the primary says so, or when the app signals its own process. The app
// can't see this: `process.listenerCount('SIGTERM')` counts its own listeners only.

import { syncBuiltinESMExports } from 'node:module'
import { constants } from 'node:os'

/** Signals that a terminal or a supervisor sends to a whole process group. */
const GROUP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

type Listener = (...values: unknown[]) => void
type Emit = (event: string, ...values: unknown[]) => boolean

/** One per process. */
export class HeldSignals {
  private readonly held = new Set<string>()
  private readonly kill = process.kill

  /** Holds back these signals and the group signals. */
  hold(signals: readonly NodeJS.Signals[]): void {
    for (const signal of new Set([...GROUP_SIGNALS, ...signals])) {
      this.held.add(signal)
      // Node would call the listener of a module that was loaded earlier directly.
      const earlier = process.rawListeners(signal) as Listener[]
      process.removeAllListeners(signal)
      intercept(signal)
      for (const listener of earlier) process.on(signal, listener)
    }
    // Without a listener Node stops handling a signal, and its default action would end the process.
    process.on('removeListener', (event) => {
      if (typeof event === 'string' && this.held.has(event) && process.listenerCount(event) === 0) intercept(event as NodeJS.Signals)
    })
    process.kill = (pid, signal) => this.sendTo(pid, signal)
    // For modules that import `kill` from 'node:process'.
    syncBuiltinESMExports()
  }

  /** Delivers a signal to the app: its listeners are called once, in the next loop turn. Without listeners the default action follows. */
  send(signal: NodeJS.Signals): void {
    if (process.listenerCount(signal) > 0) {
      setImmediate(() => (process.emit as Emit).call(process, signal, signal, constants.signals[signal]))
      return
    }
    this.release(signal)
    this.kill.call(process, process.pid, signal)
  }

  private sendTo(pid: number, signal: string | number = 'SIGTERM'): true {
    const name = typeof signal === 'number' ? nameOf(signal) : signal
    if (pid !== process.pid || name === undefined || !this.held.has(name)) return this.kill.call(process, pid, signal)
    this.send(name as NodeJS.Signals)
    return true
  }

  private release(signal: NodeJS.Signals): void {
    if (!this.held.delete(signal)) return
    process.on(signal, ignore)
    process.off(signal, ignore)
  }
}

/**
 * Makes Node handle a signal without calling the app. Node captures `process.emit` when the first listener is added, and stops handling the signal
 * when it counts no listener. So Node captures a function that does nothing, and the listener is removed while the count reads 1.
 */
function intercept(signal: NodeJS.Signals): void {
  const { emit } = process
  replaceFor(
    'emit',
    ((event: string, ...values: unknown[]) => event === signal || Reflect.apply(emit, process, [event, ...values])) as typeof emit,
    () => process.on(signal, ignore),
  )
  replaceFor(
    'listenerCount',
    () => 1,
    () => process.off(signal, ignore),
  )
}

function replaceFor<Name extends 'emit' | 'listenerCount'>(name: Name, replacement: NodeJS.Process[Name], then: () => void): void {
  const own = Object.getOwnPropertyDescriptor(process, name)
  process[name] = replacement
  then()
  if (own === undefined) delete (process as Partial<NodeJS.Process>)[name]
  else Object.defineProperty(process, name, own)
}

function nameOf(number: number): string | undefined {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0]
}

function ignore(): void {}

/** The default stop signal: SIGINT for an app that listens for SIGINT only, as apps written for PM2 do; else SIGTERM. */
export function usualStopSignal(): NodeJS.Signals {
  return process.listenerCount('SIGTERM') === 0 && process.listenerCount('SIGINT') > 0 ? 'SIGINT' : 'SIGTERM'
}
