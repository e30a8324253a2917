// Swaps the certificate of a TLS listener again and again, file by file, while clients connect and send requests.

import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { makeCertificate } from '../../support/certificate-maker.ts'
import { startBalancer, temporaryFolder } from './running-balancer.ts'
import { TlsClient } from './tls-client.ts'

export interface SwapOptions {
  readonly swaps: number
  /** Between two swaps. */
  readonly everyMs: number
}

export interface SwapResult {
  handshakes: number
  /** On connections that stay open. */
  requests: number
  readonly failures: string[]
  /** Names of the certificates that clients got. */
  readonly served: Set<string>
}

const CERTIFICATES = 5
const CONNECTING = 4
const KEPT = 4
/** The watch looks at the files once a second. */
const LAST_MS = 1500

export async function runSwaps({ swaps, everyMs }: SwapOptions): Promise<SwapResult> {
  const folder = temporaryFolder()
  const made = Array.from({ length: CERTIFICATES }, (_, index) => makeCertificate(folder, `v${index}`, { names: [`v${index}.example`] }))
  const site = { cert: join(folder, 'site.crt'), key: join(folder, 'site.key') }
  const install = async (index: number): Promise<void> => {
    const { cert, key } = made[index % CERTIFICATES] as (typeof made)[number]
    copyFileSync(cert, site.cert)
    // Every second swap leaves time in which the two files do not fit.
    if (index % 2 === 1) await setTimeout(everyMs / 2)
    copyFileSync(key, site.key)
  }
  await install(0)
  const balancer = await startBalancer({
    config: { app: 'plain-app.mjs', pools: { web: { workers: 2 } }, listen: { host: '127.0.0.1', port: 0, tls: site } },
  })
  await balancer.untilAllReady()
  const { port } = balancer
  const result: SwapResult = { handshakes: 0, requests: 0, failures: [], served: new Set() }
  let isOver = false
  const attempt = (work: () => Promise<void>): Promise<void> => work().catch((error: Error) => void result.failures.push(error.message))
  const connecting = Array.from({ length: CONNECTING }, async (_, index) => {
    const version = index % 2 === 0 ? 'TLSv1.3' : 'TLSv1.2'
    while (!isOver)
      await attempt(async () => {
        const client = await TlsClient.open(port, { maxVersion: version, servername: index < 2 ? 'v1.example' : '' })
        result.served.add(client.serverName)
        await client.get('/')
        client.destroy()
        result.handshakes++
      })
  })
  const kept = Array.from({ length: KEPT }, () =>
    attempt(async () => {
      const client = await TlsClient.open(port)
      while (!isOver) {
        await client.get('/')
        result.requests++
        await setTimeout(10)
      }
      client.destroy()
    }),
  )
  for (let swap = 1; swap <= swaps; swap++) {
    await install(swap)
    await setTimeout(everyMs)
  }
  await setTimeout(LAST_MS)
  isOver = true
  await Promise.all([...connecting, ...kept])
  const code = await balancer.stop()
  if (code !== 0) result.failures.push(`the balancer ended with ${code}`)
  return result
}
