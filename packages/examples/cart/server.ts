// A cart that a visitor fills from several tabs at once, in two ways: one keeps everything, the other does what most session stores do.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { sessions } from '@switchyard/worker-runtime'

interface Cart {
  readonly items: Readonly<Record<string, number>>
}

const empty: Cart = { items: {} }

function withItem(cart: Cart, item: string): Cart {
  return { items: { ...cart.items, [item]: (cart.items[item] ?? 0) + 1 } }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  const session = await sessions<Cart>(request, response)
  const item = searchParams.get('item') ?? 'ticket'
  if (request.method === 'POST' && pathname === '/update') {
    // Called again when another request was faster: nothing is lost.
    await session.update((cart = empty) => withItem(cart, item))
  } else if (request.method === 'POST' && pathname === '/replace') {
    // Writes back what was read when the request came: changes made in between are lost.
    await session.set(withItem(session.value ?? empty, item))
  } else if (request.method === 'POST' && pathname === '/empty') {
    await session.update(() => empty)
  }
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ ...(session.value ?? empty), pid: process.pid }))
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: { status?: number; headers?: Record<string, string> }) => {
    if (!response.headersSent) response.writeHead(error.status ?? 500, error.headers ?? {})
    response.end()
  })
})

server.listen(3000)
