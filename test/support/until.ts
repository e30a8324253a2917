// Bounded waits: for an event, or for a condition that has to be polled. Limits are those of a quiet machine.

import type { EventEmitter } from 'node:events'
import { patience } from './patience.ts'

/** Resolves with the event's arguments. Rejects after the limit, or on 'error' unless that is the event. */
export function untilEvent(emitter: EventEmitter, event: string, quietMs = 5_000): Promise<unknown[]> {
  const timeoutMs = patience(quietMs)
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer)
      emitter.off(event, onEvent)
      emitter.off('error', onError)
    }
    const onEvent = (...values: unknown[]): void => {
      end()
      resolve(values)
    }
    const onError = (error: unknown): void => {
      end()
      reject(error)
    }
    const timer = setTimeout(() => {
      end()
      reject(new Error(`no '${event}' within ${timeoutMs} ms`))
    }, timeoutMs)
    emitter.on(event, onEvent)
    if (event !== 'error') emitter.on('error', onError)
  })
}

/** Polls every 10 ms until the answer is truthy, and resolves with it. An error of the condition goes through. */
export async function until<T>(condition: () => T | Promise<T>, quietMs = 5_000, what = 'condition'): Promise<NonNullable<T>> {
  const timeoutMs = patience(quietMs)
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const answer = await condition()
    if (answer) return answer as NonNullable<T>
    if (performance.now() > deadline) throw new Error(`${what}: not so within ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
