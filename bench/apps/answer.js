// The answers of the apps with pools. They refuse requests of another pool, so that a request that ends in the wrong place is a fault.

import { burn } from './burn.js'
import { occupy, work } from './occupy.js'
import { poolOf } from './pool-of.js'

const HEAVY_MS = 50

const BODY = 'Hello world\n'

/** The request handler of a member of `pool`; undefined: of a server that takes every path. */
export function answerAs(pool) {
  return (request, response) => {
    response.setHeader('content-type', 'text/plain')
    response.setHeader('worker', process.pid)
    if (pool !== undefined) response.setHeader('pool', pool)
    const wanted = poolOf(request.url)
    if (pool !== undefined && wanted !== pool) {
      response.statusCode = 421
      response.end(`${request.url} is not for ${pool}\n`)
    } else if (request.method === 'POST') {
      receive(request, response)
    } else if (wanted === 'work') {
      work(
        request.url,
        () => response.flushHeaders(),
        () => response.end(BODY),
      )
    } else if (wanted === 'burn') {
      const loops = Number(new URL(request.url, 'http://localhost').searchParams.get('loops'))
      if (!(burn(loops) > 0)) response.statusCode = 500
      response.end(BODY)
    } else {
      if (wanted === 'heavy') occupy(HEAVY_MS)
      response.end(BODY)
    }
  }
}

function receive(request, response) {
  let bytes = 0
  request.on('data', (part) => {
    bytes += part.length
  })
  request.on('end', () => {
    if (bytes !== Number(request.headers['content-length'])) response.statusCode = 400
    response.end(BODY)
  })
}
