// Runs an app under plain node:cluster: cluster-primary.js <none|rr> <workers> <app>. Prints its address once all workers listen.

import cluster from 'node:cluster'

const [scheduling, workers, app] = process.argv.slice(2)
let listening = 0

cluster.schedulingPolicy = scheduling === 'none' ? cluster.SCHED_NONE : cluster.SCHED_RR
cluster.setupPrimary({ exec: app, args: [] })
cluster.on('listening', (_worker, { address, port }) => {
  listening += 1
  if (listening === Number(workers)) console.log(`ready: http://${address}:${port}`)
})
for (let count = 0; count < Number(workers); count += 1) cluster.fork()
