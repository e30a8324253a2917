// Keeps process.nextTick as fast as it is at the start of the process.
//
// Each tick is an object that Node builds with computed names. V8 remembers the shape of the objects built there, but weakly; when that memory is
// collected, V8 treats the place as one of many shapes for good (`Runtime_DefineKeyedOwnPropertyInLiteral` in runtime-object.cc). An idle process
// is collected after some seconds, when no tick is alive. From then on each tick takes the slow path, several per request, which costs a small
// request more than all of Switchyard. One tick that is kept alive keeps the shape.

import { executionAsyncResource } from 'node:async_hooks'

const kept: object[] = []

/** Keeps one tick alive for the rest of the process. */
export function keepTickShape(): void {
  process.nextTick(() => kept.push(executionAsyncResource()))
}
