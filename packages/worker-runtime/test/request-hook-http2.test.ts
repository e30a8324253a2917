// Connections that begin with HTTP/2: the hook ends them for a plain http.Server, and leaves them to every other server.

import { createServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect, createServer as createNetServer, type Server } from 'node:net'
import { ConnectionInjector, packTag } from '@switchyard/handoff'
import { assert, suite } from '../../../test/suite.ts'
import { until, untilEvent } from '../../../test/support/until.ts'
import type { Http2Connection, Http2Termination } from '../src/http2/http2-termination.ts'
import { hookRequests, type RequestHookOptions } from '../src/request-hook.ts'
import { Http2Sessions } from '../src/server/http2-sessions.ts'
import { InFlight } from '../src/server/requests/in-flight.ts'
import { RequestSpans } from '../src/traces/request-spans.ts'

const test = suite('request hook and HTTP/2')
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

interface PrivateServer {
  readonly _handle: { onconnection: (status: number, handle: never) => void }
}

interface Outcome {
  /** Connections that the termination got. */
  readonly ended: number
  /** Connections that the app's server got. */
  readonly announced: number
}

/** A client sends the preface. `hasHttp2`: the process ends HTTP/2. `isMarked`: as the receiver marks connections to a server whose HTTP/2 ends here. */
async function outcomeOf(server: Server, hasHttp2: boolean, isMarked: boolean): Promise<Outcome> {
  let ended = 0
  let announced = 0
  const accept = ({ connection }: Http2Connection): void => {
    ended++
    connection.destroy()
  }
  server.on('connection', (socket) => {
    announced++
    socket.destroy()
  })
  const parts: Partial<RequestHookOptions> = {
    countConnections: () => {},
    receiver: { mayAct: () => true } as never,
    inFlight: new InFlight(),
    rest: { isOn: false } as never,
    mover: { isOn: false } as never,
    spans: new RequestSpans({ pool: 'web', slot: 0 }),
    http2Sessions: new Http2Sessions(),
    http2: hasHttp2 ? ({ accept } as Http2Termination) : undefined,
  }
  hookRequests(server, parts as RequestHookOptions)
  const front = createNetServer()
  for (const one of [server, front]) await untilEvent(one.listen(0, '127.0.0.1'), 'listening')
  const injector = new ConnectionInjector(server)
  const { _handle: handle } = front as unknown as PrivateServer
  handle.onconnection = (_status, connection) =>
    void injector.accept(connection, packTag(1, false), undefined, undefined, undefined, isMarked)
  const client = connect((front.address() as AddressInfo).port, '127.0.0.1', () => client.write(PREFACE))
  client.on('error', () => {})
  await until(() => ended + announced > 0)
  client.destroy()
  for (const one of [server, front]) one.close()
  return { ended, announced }
}

const ended = { ended: 1, announced: 0 }
const announced = { ended: 0, announced: 1 }

test('a plain http.Server does not see it', async () => {
  assert.equal(await outcomeOf(createServer(), true, true), ended)
  assert.equal(await outcomeOf(createServer(), true, false), announced, 'it begins with something else')
})

test('in a process without HTTP/2 every connection is for the server', async () => {
  for (const isMarked of [false, true]) assert.equal(await outcomeOf(createServer(), false, isMarked), announced)
})

for (const [name, make] of [
  ['net.Server', () => createNetServer()],
  ['server of node:http2', () => createHttp2Server() as Server],
] as const)
  test(`a ${name} speaks for itself, also where HTTP/2 ends for others`, async () => {
    for (const isMarked of [false, true]) assert.equal(await outcomeOf(make(), true, isMarked), announced)
  })

test.run()
