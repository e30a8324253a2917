// A thread that signals when the next request is due. A timer of the loop is up to a millisecond late, which is more than a light request
// takes.

import { parentPort, workerData } from 'node:worker_threads'

const { startsAtMs, timesMs } = workerData
const neverNotified = new Int32Array(new SharedArrayBuffer(4))

for (const atMs of timesMs) {
  const leftMs = startsAtMs + atMs - Number(process.hrtime.bigint()) / 1e6
  if (leftMs > 0) Atomics.wait(neverNotified, 0, 0, leftMs)
  parentPort.postMessage(undefined)
}
