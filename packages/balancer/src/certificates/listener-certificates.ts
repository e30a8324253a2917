// All certificates of one listener: which files they are in, what is in them, and whether a file has changed.

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { TlsListenerStart } from '@switchyard/worker-runtime'
import type { CertificateFiles, TlsSettings } from '../listener-settings.ts'
import { type Certificate, readCertificate } from './certificate.ts'
import { certificatesIn } from './certificate-folder.ts'
import { readPem } from './pem.ts'

/** Each file is looked at with two system calls, so many at a time. */
const PARALLEL = 16

const FOLDER_FILES = 'NAME.pem with its key, NAME.crt and NAME.key, or a subfolder with fullchain.pem and privkey.pem'

/** A fault of an option below `tls`. */
export interface TlsFault {
  /** Such as `cert` or `certificates[1].key`. */
  readonly option: string
  readonly message: string
}

export interface ReadCertificates {
  /** In order; the first is the default. Where a file has a fault, the certificate from before, if there was one. */
  readonly certificates: readonly Certificate[]
  /** PEM texts of the authorities for client certificates. */
  readonly ca: string | undefined
  readonly faults: readonly TlsFault[]
}

interface Source extends CertificateFiles {
  /** The option that names a file of it. */
  option(file: 'cert' | 'key' | 'ocsp'): string
}

/** Reads and checks every certificate of a listener. Never throws. `before`: what was read last. */
export function readCertificates(settings: TlsSettings, nowMs: number, before?: ReadCertificates): ReadCertificates {
  const faults: TlsFault[] = []
  const known = new Map(before?.certificates.map((certificate) => [certificate.id, certificate]))
  const { sources, fault } = sourcesOf(settings)
  if (fault !== undefined) faults.push({ option: 'folder', message: fault })
  const certificates = sources.flatMap((source) => {
    const outcome = readCertificate(source, settings.passphrase, nowMs)
    for (const { file, message } of outcome.faults) faults.push({ option: source.option(file), message })
    return outcome.certificate ?? known.get(source.cert) ?? []
  })
  // A folder that can't be read says nothing of its certificates.
  if (fault !== undefined) certificates.push(...[...known.values()].filter(({ id }) => !certificates.some((one) => one.id === id)))
  const ca = caOf(settings, faults) ?? before?.ca
  if (certificates.length > 0) return { certificates, ca, faults }
  if (faults.length === 0) faults.push({ option: 'folder', message: `${settings.folder} has no certificate: expected ${FOLDER_FILES}` })
  return { certificates: before?.certificates ?? [], ca, faults }
}

function caOf({ mutual }: TlsSettings, faults: TlsFault[]): string | undefined {
  if (mutual === undefined) return undefined
  const { value: blocks, fault } = readPem(mutual.ca)
  const texts = (blocks ?? []).filter(({ label }) => label === 'CERTIFICATE').map(({ text }) => text)
  if (fault !== undefined) faults.push({ option: 'mutual.ca', message: fault })
  else if (texts.length === 0) faults.push({ option: 'mutual.ca', message: `${mutual.ca} has no certificate of an authority` })
  return texts.length === 0 ? undefined : texts.join('')
}

/** The certificates that the config names, then those of the folder by name. */
function sourcesOf({ certificates, folder }: TlsSettings): { sources: Source[]; fault: string | undefined } {
  const named = certificates.map((files) => ({ ...files, option: (file: string) => `${files.place}${file}` }))
  if (folder === undefined) return { sources: named, fault: undefined }
  const { value = [], fault } = certificatesIn(folder)
  const found = value
    .filter(({ cert }) => !certificates.some((one) => one.cert === cert))
    .map((files) => ({ ...files, option: () => 'folder' }))
  return { sources: [...named, ...found], fault }
}

/** A text that differs when a file of the listener has changed, or a file has come or gone. Links are followed. */
export async function signatureOf({ certificates, folder, mutual }: TlsSettings, known: ReadCertificates): Promise<string> {
  const entries = folder === undefined ? [] : await readdir(folder).catch(() => [])
  const named = certificates.flatMap(({ cert, key, ocsp }) => [cert, key, ...(ocsp === undefined ? [] : [ocsp])])
  const ofFolder = folder === undefined ? [] : filesBeside(folder, entries, known)
  const paths = [...new Set([...named, ...ofFolder, ...(mutual === undefined ? [] : [mutual.ca])])]
  const states: string[] = []
  for (let at = 0; at < paths.length; at += PARALLEL) states.push(...(await Promise.all(paths.slice(at, at + PARALLEL).map(stateOf))))
  return states.join('\n')
}

/** A new file in a subfolder changes the time of the subfolder; a file that is written in place does not. */
function filesBeside(folder: string, entries: readonly string[], { certificates }: ReadCertificates): string[] {
  const known = certificates.filter(({ id }) => id.startsWith(folder))
  return [
    ...entries.map((name) => join(folder, name)),
    ...known.flatMap(({ id, keyPath, ocspPath }) => [id, keyPath, ...(ocspPath === undefined ? [] : [ocspPath])]),
  ]
}

async function stateOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(path)
    return `${path} ${ino} ${size} ${mtimeMs} ${ctimeMs}`
  } catch (error) {
    return `${path} ${(error as NodeJS.ErrnoException).code}`
  }
}

/** What workers need of a listener's certificates. */
export function listenerStart(listener: number, settings: TlsSettings, { certificates, ca }: ReadCertificates): TlsListenerStart {
  const { preset, alpn, hsts, handshakeTimeoutMs, mutual } = settings
  return {
    ...{ listener, preset, alpn, hsts, handshakeTimeoutMs },
    certificates: certificates.map(({ id, names, cert, key, keyType, ocsp }) => ({ id, names, cert, key, keyType, ocsp })),
    mutual: mutual && { ca: ca ?? '', required: mutual.required },
  }
}
