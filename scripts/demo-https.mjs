// The second address of the demo, with HTTPS and HTTP/2: a free port, and a certificate for localhost that openssl makes and that signs itself.

import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'

const DEFAULT_PORT = 3443
const DAYS = 30
/** A certificate that ends sooner is made anew. */
const LEAST_LEFT_MS = 86_400_000
const OPENSSL_TIMEOUT_MS = 10_000
const NAMES = 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1'

/**
 * Variables for the config of the demo: HTTPS_PORT and CERTIFICATES. An empty HTTPS_PORT of the user's own turns it off, and so does `--listen`, which names all
 * addresses. Resolves with a notice instead if there can be no HTTPS: the demo starts without it. `folder`: where the certificate is kept.
 */
export async function httpsVariables(args, env, folder) {
  const { HTTPS_PORT = String(DEFAULT_PORT) } = env
  if (HTTPS_PORT === '' || args.some((one) => /^(-l|--listen)/.test(one))) return { variables: { HTTPS_PORT: '' } }
  try {
    await Promise.all([probe(Number(HTTPS_PORT)), ensureCertificate(folder)])
    return { variables: { HTTPS_PORT, CERTIFICATES: folder } }
  } catch (error) {
    return { variables: { HTTPS_PORT: '' }, notice: `The demo starts without HTTPS: ${reasonOf(error, HTTPS_PORT)}` }
  }
}

function reasonOf(error, port) {
  if (error.code === 'EADDRINUSE') return `port ${port} is taken. HTTPS_PORT=8443 npm start uses another one`
  if (error.code === 'ENOENT' && error.path === 'openssl') return 'openssl is not installed, and it makes the certificate'
  return error.message
}

/** Rejects if the port can't be listened on. */
async function probe(port) {
  const server = createServer()
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, resolve))
  await new Promise((resolve) => server.close(resolve))
}

async function ensureCertificate(folder) {
  const [cert, key] = [join(folder, 'localhost.crt'), join(folder, 'localhost.key')]
  if (isValid(cert, key)) return
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const subject = ['-subj', '/CN=localhost', '-addext', NAMES, '-days', String(DAYS)]
  await promisify(execFile)('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', cert], {
    timeout: OPENSSL_TIMEOUT_MS,
  })
}

function isValid(cert, key) {
  try {
    const { validTo } = new X509Certificate(readFileSync(cert))
    return Date.parse(validTo) - Date.now() > LEAST_LEFT_MS && readFileSync(key).length > 0
  } catch {
    return false
  }
}
