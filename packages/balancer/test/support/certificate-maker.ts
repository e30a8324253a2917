// Makes keys and certificates for tests, with openssl.

import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface MadeCertificate {
  /** Paths. */
  readonly cert: string
  readonly key: string
}

export interface MakeOptions {
  /** Without names the certificate has none. */
  readonly names?: readonly string[]
  readonly subject?: string
  readonly days?: number
  /** Encrypts the key. */
  readonly passphrase?: string
  /** Signs it; left out: it signs itself. */
  readonly issuer?: MadeCertificate
  readonly isAuthority?: boolean
  /** Left out: the key is one of the curve P-256. */
  readonly isRsa?: boolean
}

const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
const RSA = ['-newkey', 'rsa:2048']

/** Writes `NAME.crt` and `NAME.key` into the folder. */
export function makeCertificate(folder: string, name: string, options: MakeOptions = {}): MadeCertificate {
  const { names = [], subject = `/CN=${names[0] ?? 'test'}`, days = 30, passphrase, issuer, isAuthority = false, isRsa = false } = options
  const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)]
  const extensions = [
    ...(names.length === 0 ? [] : [`subjectAltName=${names.map((one) => (/^[\d.:]+$/.test(one) ? `IP:${one}` : `DNS:${one}`)).join(',')}`]),
    ...(isAuthority ? [] : ['basicConstraints=critical,CA:FALSE']),
  ]
  openssl(
    'req',
    '-x509',
    ...(isRsa ? RSA : CURVE),
    ...(passphrase === undefined ? ['-nodes'] : ['-passout', `pass:${passphrase}`]),
    ...[
      ...['-subj', subject, '-days', String(days), '-keyout', key, '-out', cert],
      ...(issuer === undefined ? [] : ['-CA', issuer.cert, '-CAkey', issuer.key]),
      ...extensions.flatMap((extension) => ['-addext', extension]),
    ],
  )
  return { cert, key }
}

/** One file with the certificate and then the key, as HAProxy reads it. */
export function combine({ cert, key }: MadeCertificate, path: string): string {
  writeFileSync(path, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'))
  return path
}

export function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
