// autocannon in a process of its own, one visitor a connection: autocannon-visitors.js <url> <seconds> <path> <cookie>…. Visitor n asks
// <path>/n with the nth cookie. Reports as wrk-report.lua does.

import autocannon from 'autocannon'

const [url, seconds, path, ...cookies] = process.argv.slice(2)
let opened = 0

const result = await autocannon({
  url,
  connections: cookies.length,
  duration: Number(seconds),
  // The clock is read once per sample.
  sampleInt: 100,
  setupClient: (client) => {
    opened += 1
    client.setRequests([{ path: `${path}/${opened}`, headers: { cookie: cookies[opened - 1] } }])
  },
})

const faults = { 'answers other than 2xx': result.non2xx, 'socket errors': result.errors - result.timeouts, timeouts: result.timeouts }
console.log(`report: ${JSON.stringify({ requests: result['2xx'], seconds: result.duration, p99Ms: result.latency.p99, faults })}`)
