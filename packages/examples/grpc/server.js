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
}

const reports = {
  render(call, done) {
    // As a report that is computed from much data.
    const until = performance.now() + 20
    while (performance.now() < until);
    done(null, { month: call.request.month, pid: process.pid })
  },
}

const server = new grpc.Server()
server.addService(shop.Orders.service, orders)
server.addService(shop.Reports.service, reports)
server.bindAsync(`0.0.0.0:${PORT}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error
})
