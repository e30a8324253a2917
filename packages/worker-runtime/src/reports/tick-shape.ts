// process.nextTick stays as fast as it was when the process started.
//
// Each tick is an object that Node makes with computed names, and V8 notes for such a place which shape its objects have: weakly, and a place that
// finds its note gone is one of many shapes to it, for good (`Runtime_DefineKeyedOwnPropertyInLiteral` in V8's runtime-object.cc). A process that has
// nothing to do is collected after some seconds, when no tick is there. From then on each tick took the slow way, several to a request, which costs
// a small one more than all of ours. A tick that is kept keeps the shape.

import { executionAsyncResource } from 'node:async_hooks'

const kept: object[] = []

/** From the next turn of the tick queue on a tick is kept for the rest of the process. */
export function keepTickShape(): void {
  process.nextTick(() => kept.push(executionAsyncResource()))
}
