// Visits of an https app by curl and by openssl s_client, which keep their TLS sessions in ways of their own.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { patience } from '../../../../../test/support/patience.ts'
import { temporaryFolder } from './running-balancer.ts'
import type { Visit } from './tls-visitor.ts'

const run = promisify(execFile)

/**
 * Two visits by one process of curl over TLS 1.3, which keeps the session in memory. curl 7.88 does not resume with TLS 1.2, nor a third time, whatever the
 * server.
 */
export async function visitByCurl(port: number): Promise<Visit[]> {
  const urls = [1, 2].map((visit) => `https://localhost:${port}/${visit}`)
  const args = ['--silent', '--show-error', '--insecure', '--tlsv1.3', '--header', 'Connection: close', ...urls]
  const { stdout } = await run('curl', args, { timeout: patience(20_000) })
  return [...stdout.matchAll(/\{[^}]*\}/g)].map(([text]) => JSON.parse(text) as Visit)
}

/** One process of openssl for each visit, which keep the session in a file. */
export async function visitByOpenssl(port: number, visits: number, version: '1.2' | '1.3'): Promise<Visit[]> {
  const file = join(temporaryFolder(), 'session')
  const seen: Visit[] = []
  for (let visit = 0; visit < visits; visit++) {
    const session = ['-sess_out', file, ...(visit === 0 ? [] : ['-sess_in', file])]
    const args = ['s_client', '-connect', `localhost:${port}`, '-quiet', `-tls${version.replace('.', '_')}`, ...session]
    const child = run('openssl', args, { timeout: patience(20_000) })
    child.child.stdin?.end(`GET /${visit} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    const { stdout } = await child
    seen.push(JSON.parse(/\{[^}]*\}/.exec(stdout)?.[0] ?? '{}') as Visit)
  }
  return seen
}
