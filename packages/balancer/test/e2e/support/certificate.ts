// A key and a certificate for apps that terminate TLS themselves.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from './running-balancer.ts'

/** As the environment variables that the https fixtures read. */
export function certificate(): { KEY: string; CERT: string } {
  const folder = temporaryFolder()
  const [key, cert] = [join(folder, 'key'), join(folder, 'cert')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  execFileSync('openssl', ['req', '-x509', ...curve, '-nodes', '-subj', '/CN=localhost', '-keyout', key, '-out', cert], { stdio: 'ignore' })
  return { KEY: readFileSync(key, 'utf8'), CERT: readFileSync(cert, 'utf8') }
}
