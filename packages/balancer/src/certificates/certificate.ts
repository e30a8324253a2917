// One certificate with its key: reads the files, and finds every reason why clients could not use it.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { CertificateText } from '@switchyard/worker-runtime'
import type { CertificateFiles } from '../listener-settings.ts'
import { type Outcome, type PemBlock, readBytes, readPem } from './pem.ts'

const CERTIFICATE = 'CERTIFICATE'
const KEY = / ?PRIVATE KEY$/
const MAX_OCSP_BYTES = 64 * 1024
/** SAN entries of one certificate that count. */
const MAX_NAMES = 1000
const HOST_NAME = /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/

export interface Certificate extends CertificateText {
  /** Path of its certificate file. */
  readonly id: string
  readonly keyPath: string
  readonly ocspPath: string | undefined
  readonly validFromMs: number
  readonly validToMs: number
}

/** Where a fault is: in one of the files. */
export interface CertificateFault {
  readonly file: 'cert' | 'key' | 'ocsp'
  readonly message: string
}

export type CertificateOutcome =
  | { readonly certificate: Certificate; readonly faults: readonly [] }
  | { readonly certificate: undefined; readonly faults: readonly CertificateFault[] }

/** Reads and checks a certificate. Collects all faults. */
export function readCertificate({ cert, key, ocsp }: CertificateFiles, passphrase: string | undefined, nowMs: number): CertificateOutcome {
  const faults: CertificateFault[] = []
  const add = (file: CertificateFault['file'], message: string | undefined): void => {
    if (message !== undefined) faults.push({ file, message })
  }
  const chain = readChain(cert)
  add('cert', chain.fault)
  const privateKey = readKey(key, passphrase, cert === key)
  // One file that can't be read is one fault.
  if (cert !== key || chain.fault === undefined) add('key', privateKey.fault)
  const staple = ocsp === undefined ? undefined : readOcsp(ocsp)
  add('ocsp', staple?.fault)
  const [leaf] = chain.value?.certificates ?? []
  const names = leaf === undefined ? [] : namesOf(leaf)
  if (leaf !== undefined) {
    for (const fault of timeFaults(leaf, cert, nowMs)) add('cert', fault)
    if (names.length === 0)
      add('cert', `${cert} names no host: issue it again with names (subjectAltName), such as DNS:www.example.com; browsers read no others`)
  }
  if (chain.value !== undefined && privateKey.value !== undefined)
    add('key', mismatch(chain.value.certificates, privateKey.value, cert, key) ?? refusal(chain.value.text, privateKey.value, cert))
  if (leaf === undefined || chain.value === undefined || privateKey.value === undefined || faults.length > 0)
    return { certificate: undefined, faults }
  return {
    certificate: {
      id: cert,
      keyPath: key,
      ocspPath: ocsp,
      names,
      cert: chain.value.text,
      key: pemOf(privateKey.value),
      keyType: privateKey.value.asymmetricKeyType ?? 'unknown',
      ...(staple?.value !== undefined && { ocsp: staple.value.toString('base64') }),
      validFromMs: Date.parse(leaf.validFrom),
      validToMs: Date.parse(leaf.validTo),
    },
    faults: [],
  }
}

interface Chain {
  readonly text: string
  /** The first is the server's own. */
  readonly certificates: readonly X509Certificate[]
}

function readChain(path: string): Outcome<Chain> {
  const { value: blocks, fault } = readPem(path)
  if (fault !== undefined) return { fault }
  const texts = blocks.filter(({ label }) => label === CERTIFICATE).map(({ text }) => text)
  if (texts.length === 0) {
    const [{ label } = { label: 'nothing' }] = blocks
    return { fault: `${path} has no certificate: expected '-----BEGIN CERTIFICATE-----', found ${label}` }
  }
  try {
    return { value: { text: texts.join(''), certificates: texts.map((text) => new X509Certificate(text)) } }
  } catch (error) {
    return { fault: `${path} has a certificate that can't be read: ${reasonOf(error)}` }
  }
}

function readKey(path: string, passphrase: string | undefined, isCombined: boolean): Outcome<KeyObject> {
  const { value: blocks, fault } = readPem(path)
  if (fault !== undefined) return { fault }
  const block = blocks.find(({ label }) => KEY.test(label))
  if (block === undefined) {
    const advice = isCombined ? ": name the file of the key with 'key', or put the key behind the certificates" : ''
    return { fault: `${path} has no private key${advice}` }
  }
  if (isEncrypted(block) && passphrase === undefined)
    return { fault: `the key in ${path} is encrypted: name the environment variable of its passphrase with 'passphraseFrom'` }
  try {
    return { value: createPrivateKey({ key: block.text, ...(isEncrypted(block) && { passphrase }) }) }
  } catch (error) {
    const why = isEncrypted(block) ? 'is encrypted, and the passphrase does not open it' : `can't be read: ${reasonOf(error)}`
    return { fault: `the key in ${path} ${why}` }
  }
}

function isEncrypted({ label, text }: PemBlock): boolean {
  return label.startsWith('ENCRYPTED') || /^Proc-Type: 4,ENCRYPTED/m.test(text)
}

function readOcsp(path: string): Outcome<Buffer> {
  const { value, fault } = readBytes(path, MAX_OCSP_BYTES)
  if (fault !== undefined) return { fault }
  if (value[0] !== 0x30) return { fault: `${path} is no OCSP response in DER, as 'openssl ocsp -respout' writes it` }
  return { value }
}

function timeFaults({ validFrom, validTo }: X509Certificate, path: string, nowMs: number): string[] {
  if (Date.parse(validTo) <= nowMs) return [`${path} has expired on ${validTo}: renew it`]
  if (Date.parse(validFrom) > nowMs)
    return [`${path} is not valid before ${validFrom}, and the clock of this machine says ${new Date(nowMs).toUTCString()}`]
  return []
}

function mismatch(certificates: readonly X509Certificate[], privateKey: KeyObject, cert: string, key: string): string | undefined {
  const fits = (certificate: X509Certificate) => certificate.checkPrivateKey(privateKey)
  const [leaf] = certificates
  if (leaf === undefined || fits(leaf)) return undefined
  if (certificates.some(fits)) return `the certificates in ${cert} are in the wrong order: the server's own comes first, then its issuers`
  const [is, was] =
    cert === key
      ? ['the key in', `is not that of its certificate (${subjectOf(leaf)})`]
      : ['', `is not the key of ${cert} (${subjectOf(leaf)})`]
  return `${is === '' ? '' : `${is} `}${key} ${was}: name the two files that were issued together`
}

/** Why OpenSSL does not take the pair, such as a key that is too short. */
function refusal(cert: string, key: KeyObject, path: string): string | undefined {
  try {
    createSecureContext({ cert, key: pemOf(key) })
    return undefined
  } catch (error) {
    return `OpenSSL does not take ${path}: ${reasonOf(error)}`
  }
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string
}

/** Host names and addresses in lower case. An old certificate without names is known by its subject. */
function namesOf({ subjectAltName, subject }: X509Certificate): string[] {
  const listed = [...(subjectAltName ?? '').matchAll(/(?:^|, )(?:DNS|IP Address):("?)([^,"\s]+)\1/g)].map(([, , name = '']) =>
    name.toLowerCase(),
  )
  if (listed.length > 0) return [...new Set(listed)].slice(0, MAX_NAMES)
  const [, name = ''] = /^CN=(.+)$/m.exec(subject ?? '') ?? []
  return HOST_NAME.test(name.toLowerCase()) ? [name.toLowerCase()] : []
}

function subjectOf(certificate: X509Certificate): string {
  return namesOf(certificate)[0] ?? certificate.subject.replaceAll('\n', ', ')
}

/** OpenSSL's reason without its numbers. */
function reasonOf(error: unknown): string {
  const { message, reason } = error as Error & { reason?: string }
  return reason ?? message.split('\n', 1)[0] ?? message
}
