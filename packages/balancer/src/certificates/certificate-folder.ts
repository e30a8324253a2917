// Finds the certificates of a folder by the names that certbot, lego, acme.sh, Kubernetes, mkcert and HAProxy give to their files.

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { CertificateFiles } from '../listener-settings.ts'
import { type Outcome, readPem, unreadable } from './pem.ts'

const MAX_ENTRIES = 10_000
const CERT_EXTENSION = /\.(?:pem|crt|cer)$/
/** lego writes the certificate of the issuer beside each one. mkcert and others add these to the names of keys. */
const NO_SERVER = /\.issuer\.crt$|-key\.pem$|^ca\.crt$/

/** Every certificate of the folder, by name. A file whose key is missing is none: folders also hold certificates of authorities. */
export function certificatesIn(folder: string): Outcome<readonly CertificateFiles[]> {
  const names = namesIn(folder)
  if (names.fault !== undefined) return { fault: names.fault }
  if (names.value.length > MAX_ENTRIES) return { fault: `${folder} has more than ${MAX_ENTRIES} entries` }
  const all = new Set(names.value)
  const found = names.value.flatMap((name) =>
    isFolder(join(folder, name)) ? inSubfolder(join(folder, name), name) : pair(folder, name, all),
  )
  return { value: found }
}

/** Sorted, without hidden ones: Kubernetes keeps the files of each version in a hidden folder. */
function namesIn(folder: string): Outcome<string[]> {
  try {
    return {
      value: readdirSync(folder)
        .filter((name) => !name.startsWith('.'))
        .sort(),
    }
  } catch (error) {
    return { fault: unreadable(folder, error as NodeJS.ErrnoException) }
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  } catch {
    return false
  }
}

/** A subfolder for one certificate: certbot's `live/NAME`, acme.sh's `NAME_ecc`, or a mounted secret of Kubernetes. */
function inSubfolder(folder: string, name: string): CertificateFiles[] {
  const names = new Set(namesIn(folder).value)
  const pairs = [
    ['fullchain.pem', 'privkey.pem'],
    ['tls.crt', 'tls.key'],
    ['fullchain.cer', `${name.replace(/_ecc$/, '')}.key`],
  ] as const
  const known = pairs.find(([cert, key]) => names.has(cert) && names.has(key))
  return known === undefined ? [] : [filesOf(folder, known[0], known[1], names)]
}

function pair(folder: string, name: string, all: ReadonlySet<string>): CertificateFiles[] {
  if (!CERT_EXTENSION.test(name) || NO_SERVER.test(name)) return []
  const base = name.replace(CERT_EXTENSION, '')
  const key = [`${base}.key`, `${base}-key.pem`, `${name}.key`].find((one) => all.has(one))
  if (key !== undefined) return [filesOf(folder, name, key, all)]
  if (name === 'fullchain.pem' && all.has('privkey.pem')) return [filesOf(folder, name, 'privkey.pem', all)]
  const { value: blocks, fault } = readPem(join(folder, name))
  // One that can't be read, such as an empty one, is reported by its reader.
  const hasKey = fault !== undefined || blocks.some(({ label }) => label.endsWith('PRIVATE KEY'))
  return hasKey ? [filesOf(folder, name, name, all)] : []
}

function filesOf(folder: string, cert: string, key: string, all: ReadonlySet<string>): CertificateFiles {
  const ocsp = `${cert}.ocsp`
  return { place: '', cert: join(folder, cert), key: join(folder, key), ocsp: all.has(ocsp) ? join(folder, ocsp) : undefined }
}
