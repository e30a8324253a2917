// Spans of the way of a request over TLS and HTTP/2, from the app's own OpenTelemetry.

import { connect as connectHttp2 } from 'node:http2'
import { setTimeout } from 'node:timers/promises'
import { assert, suite } from '../../../../test/suite.ts'
import { makeCertificate } from '../support/certificate-maker.ts'
import { exchange, get } from './support/raw-client.ts'
import { portOf, type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'
import { TlsClient } from './support/tls-client.ts'

const test = suite('spans of hand-offs', { timeoutMs: 30_000 })
const site = makeCertificate(temporaryFolder(), 'site', { names: ['site.example'] })
const local = { host: '127.0.0.1', port: 0 }

interface Recorded {
  readonly name: string
  readonly ms: number
  readonly agoMs: number
}

let balancer: RunningBalancer
let plain: number
let secure: number

test.before(async () => {
  balancer = await startBalancer({
    config: {
      app: 'span-app.mjs',
      pools: { web: { workers: 1 } },
      listen: [
        { ...local, http2: true },
        { ...local, tls: site, http2: true },
      ],
    },
  })
  ;[plain, secure] = balancer.addresses.map(portOf) as [number, number]
})

test.after(async () => assert.is(await balancer.stop(), 0))

/** On a busy machine the loop of the worker may be busy, and the connection waits in the queue. */
const handOffsIn = (text: string): Recorded[] => (JSON.parse(text) as Recorded[]).filter(({ name }) => name !== 'switchyard.queue')
const names = (text: string): string[] => handOffsIn(text).map(({ name }) => name)

/** What the app says in each of several streams, one after the other. */
async function streams(url: string): Promise<string[]> {
  const session = connectHttp2(url, { rejectUnauthorized: false })
  const all: string[] = []
  for (let count = 0; count < 2; count++) {
    let text = ''
    for await (const part of session.request({ ':path': '/' }).setEncoding('utf8')) text += part
    all.push(text)
  }
  session.destroy()
  return all
}

test('the first request of a connection has them: plain, over TLS, in HTTP/2', async () => {
  assert.equal(names((await exchange(plain, get('/'))).body.toString()), ['switchyard.hand_off'])
  const client = await TlsClient.open(secure)
  assert.equal([names((await client.get('/')).body), names((await client.get('/')).body)], [['switchyard.hand_off'], []])
  client.destroy()
  assert.equal((await streams(`https://127.0.0.1:${secure}`)).map(names), [['switchyard.hand_off'], []])
  assert.equal((await streams(`http://127.0.0.1:${plain}`)).map(names), [['switchyard.hand_off'], []])
})

test('the time that the client takes after the hand-off does not count', async () => {
  const client = await TlsClient.open(secure)
  const waitMs = 400
  await setTimeout(waitMs)
  const [span] = handOffsIn((await client.get('/')).body)
  // The span ended before the client began to wait.
  assert.ok(span !== undefined && span.agoMs >= waitMs - 1, JSON.stringify(span))
  client.destroy()
})

test.run()
