// autocannon in a process of its own: autocannon-load.js <url> <connections> <seconds> <keep | reconnect> <path,path…>…. Each connection
// asks the paths of one group in turn. Reports as wrk-report.lua does.
// It counts and times answers itself: with `reconnectRate: 1` autocannon 9 leaves out every answer after which it reconnects, which is all
// of them.

import { createHistogram } from 'node:perf_hooks'
import autocannon from 'autocannon'

const [url, connections, seconds, manner, ...texts] = process.argv.slice(2)
const groups = texts.map((text) => text.split(',').map((path) => ({ path })))
let opened = 0
let answered = 0
let wrong = 0
const latencyUs = createHistogram()

const result = await autocannon({
  url,
  connections: Number(connections),
  duration: Number(seconds),
  // The clock is read once per sample.
  sampleInt: 100,
  ...(manner === 'reconnect' && { reconnectRate: 1 }),
  setupClient: (client) => {
    // A single path stays as autocannon makes it by itself.
    if (groups.flat().length > 1) client.setRequests(groups[opened++ % groups.length])
    let askedMs = 0
    client.on('request', () => {
      askedMs = performance.now()
    })
    client.on('headers', ({ statusCode }) => {
      answered += 1
      latencyUs.record(Math.max(1, Math.round((performance.now() - askedMs) * 1000)))
      if (statusCode < 200 || statusCode > 299) wrong += 1
    })
  },
})

const faults = {
  'answers other than 2xx': wrong,
  'socket errors': result.errors - result.timeouts,
  timeouts: result.timeouts,
  // Each connection may have a request under way when time is up.
  unanswered: Math.max(0, result.requests.sent - answered - Number(connections)),
}
console.log(`report: ${JSON.stringify({ requests: answered, seconds: result.duration, p99Ms: latencyUs.percentile(99) / 1000, faults })}`)
