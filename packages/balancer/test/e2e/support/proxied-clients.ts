// Clients of a balancer behind a proxy that speaks the PROXY protocol, and what address-app.mjs says of them.

import { setTimeout } from 'node:timers/promises'
import type { ProxyProtocolSsl } from '@switchyard/worker-runtime'
import { type Answer, get, json, RawClient, type Target } from './raw-client.ts'
import { type RunningBalancer, type StartOptions, startBalancer } from './running-balancer.ts'

export const KEEP = { Connection: 'keep-alive' }

/** What the app says of a request. */
export interface Said {
  readonly worker: string
  readonly url: string
  readonly remote: string
  readonly local: string
  readonly alpn?: string
  readonly authority?: string
  readonly uniqueId?: string
  readonly ssl?: ProxyProtocolSsl
}

/** A line of version 1 for the client with this number, from which its address follows. */
export function lineOf(number: number): string {
  return `PROXY TCP4 192.0.2.${number % 256} 198.51.100.1 ${10_000 + number} 443\r\n`
}

/** What the app must say of the client with this number. */
export function remoteOf(number: number): string {
  return `IPv4 192.0.2.${number % 256} ${10_000 + number}`
}

/** Opens a connection of that client. */
export function proxied(target: Target, number: number): RawClient {
  return new RawClient(target).write(lineOf(number))
}

/** Sends a request that keeps the connection, and resolves with what the app says of it. */
export async function ask(client: RawClient, url = '/'): Promise<Said> {
  return saidIn(await client.write(get(url, KEEP)).answer())
}

export function saidIn(answer: Answer): Said {
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`)
  return json<Said>(answer)
}

/** Starts a balancer whose listener expects headers of this machine, with two pools. */
export async function startBehindProxy(
  options: Pick<StartOptions, 'env'> & { config?: object; required?: boolean } = {},
): Promise<RunningBalancer> {
  const { env = {}, config = {}, required = true } = options
  const balancer = await startBalancer({
    config: {
      app: 'address-app.mjs',
      listen: { host: '127.0.0.1', port: 0, proxyProtocol: { from: ['127.0.0.0/8'], required } },
      pools: { light: { workers: 1, rest: 'never' }, heavy: { workers: 1, rest: 'never' } },
      routes: [{ path: '/heavy', pool: 'heavy' }],
      ...config,
    },
    env,
  })
  await balancer.untilAllReady()
  return balancer
}

/**
 * `count` clients at different addresses of this machine send `requests` each, over one connection each. Returns the requests for which the app
 * saw another address than the client's, and how many were right.
 */
export async function askFromMany(port: number, count: number, requests: number): Promise<{ right: number; wrong: string[] }> {
  const wrong: string[] = []
  let right = 0
  const run = async (index: number): Promise<void> => {
    const client = await new RawClient({ port, host: '127.0.0.1', localAddress: `127.0.0.${2 + (index % 250)}` }).connected()
    const { localAddress, localPort } = client.socket
    for (let turn = 0; turn < requests; turn++) {
      const url = turn % 2 === 0 ? `/heavy?${index}.${turn}` : `/light?${index}.${turn}`
      const { remote, url: seen } = await ask(client, url)
      if (remote === `IPv4 ${localAddress} ${localPort}` && seen === url) right++
      else wrong.push(`${url}: ${seen} ${remote}, not ${localAddress} ${localPort}`)
      await setTimeout(Math.random() * 5)
    }
    client.destroy()
  }
  await Promise.all(Array.from({ length: count }, (_, index) => run(index)))
  return { right, wrong }
}
