// A gRPC server as written for one process. It knows nothing of the balancer.

import { join } from 'node:path'
import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

const { shop } = grpc.loadPackageDefinition(loadSync(join(import.meta.dirname, 'shop.proto')))
const { PORT = '50051' } = process.env

const orders = {
  place(call, done) {
    done(null, { product: call.request.product, pid: process.pid, peer: call.getPeer() })
  },
  watch(call) {
    for (const what of ['packed', 'sent', 'delivered']) call.write({ what })
    call.end()
  },
  quote(call, done) {
    // As a price that depends on many rules.
    compute(20)
    done(null, { cents: 250 * call.request.products.length, pid: process.pid })
  },
}

const reports = {
  render(call, done) {
    // As a report that is computed from much data.
    compute(20)
    done(null, { month: call.request.month, pid: process.pid })
  },
}

/** Keeps the process busy. */
function compute(ms) {
  const until = performance.now() + ms
  while (performance.now() < until);
}

const server = new grpc.Server()
server.addService(shop.Orders.service, orders)
server.addService(shop.Reports.service, reports)
server.bindAsync(`0.0.0.0:${PORT}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error
})
