// Signals that end a process, as the app of a worker sees them. Ctrl-C in a terminal, or a supervisor, signals the whole process group, but the primary decides
// when a worker ends. So what the kernel delivers is held back, and the app's listeners hear a signal when the primary says so, or when the app sends
// it to its own process. Nothing of this can be seen in the app's listeners: `process.listenerCount('SIGTERM')` counts the app's own.

import { syncBuiltinESMExports } from 'node:module'
import { constants } from 'node:os'

/** What a terminal or a supervisor sends to a whole process group. */
const GROUP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

type Listener = (...values: unknown[]) => void
type Emit = (event: string, ...values: unknown[]) => boolean

/** Those of this process. There is one of it. */
export class HeldSignals {
  private readonly held = new Set<string>()
  private readonly kill = process.kill

  /** From now on these are held back, and those that a terminal sends. */
  hold(signals: readonly NodeJS.Signals[]): void {
    for (const signal of new Set([...GROUP_SIGNALS, ...signals])) {
      this.held.add(signal)
      // A module that was loaded earlier may listen already: then Node would go on to call it directly.
      const earlier = process.rawListeners(signal) as Listener[]
      process.removeAllListeners(signal)
      intercept(signal)
      for (const listener of earlier) process.on(signal, listener)
    }
    // Without a listener Node lets go of a signal, and its default would end the process.
    process.on('removeListener', (event) => {
      if (typeof event === 'string' && this.held.has(event) && process.listenerCount(event) === 0) intercept(event as NodeJS.Signals)
    })
    process.kill = (pid, signal) => this.sendTo(pid, signal)
    // For those that import `kill` from 'node:process'.
    syncBuiltinESMExports()
  }

  /** The app gets a signal: its listeners are called, once and soon; without a listener it does to the process what it does by default. */
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
 * Node calls what `process.emit` is when the first listener for a signal is added, and lets go of the signal when it counts none any more. So it is given a function that
 * does nothing, and the listener for which it was asked is taken away while Node counts one.
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

/** The signal that ends an app, where none is configured: SIGINT for one that listens for that alone, as apps made for PM2 do. */
export function usualStopSignal(): NodeJS.Signals {
  return process.listenerCount('SIGTERM') === 0 && process.listenerCount('SIGINT') > 0 ? 'SIGINT' : 'SIGTERM'
}
