// The app of `grpc`: a server of @grpc/grpc-js, or with KIND=http a plain server, with a call that blocks its process and one that does not.

import { createServer } from 'node:http'
import grpc from '@grpc/grpc-js'

const { KIND, PORT = '3000' } = process.env
const clock = new Int32Array(new SharedArrayBuffer(4))
const block = (ms) => Atomics.wait(clock, 0, 0, ms)

const toBytes = (value) => Buffer.from(JSON.stringify(value))
const fromBytes = (bytes) => JSON.parse(bytes.toString())
const method = (name) => ({
  path: `/bench.Calls/${name}`,
  ...{ requestStream: false, responseStream: false, requestSerialize: toBytes, requestDeserialize: fromBytes },
  ...{ responseSerialize: toBytes, responseDeserialize: fromBytes },
})

if (KIND === 'http') {
  createServer((request, response) => {
    const { searchParams } = new URL(request.url, 'http://bench')
    if (searchParams.has('ms')) block(Number(searchParams.get('ms')))
    response.end(JSON.stringify({ pid: process.pid }))
  }).listen(Number(PORT), '127.0.0.1')
} else {
  const server = new grpc.Server()
  server.addService(
    { block: method('block'), light: method('light') },
    {
      block({ request }, done) {
        block(request.ms)
        done(null, { pid: process.pid })
      },
      light: (_call, done) => done(null, { pid: process.pid }),
    },
  )
  server.bindAsync(`127.0.0.1:${PORT}`, grpc.ServerCredentials.createInsecure(), (error) => {
    if (error) throw error
  })
}
