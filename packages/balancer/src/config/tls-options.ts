// `listen[…].tls`, `redirectToHttps` and `acmeFolder`: listeners that end TLS, and plain ones beside them.

import { resolve } from 'node:path'
import * as v from 'valibot'
import type { CertificateFiles, HttpsRedirectSettings, ListenAddress, TlsSettings } from '../listener-settings.ts'
import { type Fault, type Loose, listOf, looseOf } from './faults.ts'
import { alpnWithHttp2, type Http2Config } from './http2-options.ts'
import { expected, flag, milliseconds, shape, text, variableName, whole } from './schema.ts'

export interface CertificateConfig {
  /** PEM file of the certificate and its issuers. */
  cert: string
  /** PEM file of the key. Default: it is in the file of the certificate. */
  key?: string | undefined
  /** DER file of an OCSP response, which is stapled. */
  ocsp?: string | undefined
}

export interface HstsConfig {
  /** In seconds. */
  maxAge: number
  includeSubDomains?: boolean | undefined
  preload?: boolean | undefined
}

export interface TlsConfig extends Partial<CertificateConfig> {
  /** Further certificates. A client gets the one with the name that it asks for. */
  certificates?: readonly CertificateConfig[] | undefined
  /** A folder of certificates as certbot (`/etc/letsencrypt/live`), lego, acme.sh, mkcert or HAProxy write them. */
  folder?: string | undefined
  /** The environment variable with the passphrase of encrypted keys. */
  passphraseFrom?: string | undefined
  /** Client certificates. */
  mutual?: { /** PEM file of the authorities. */ ca: string /** Default true. */; required?: boolean | undefined } | undefined
  /** Mozilla's guideline: `'modern'` is TLS 1.3 alone. Default `'intermediate'`, TLS 1.2 and 1.3. */
  preset?: 'modern' | 'intermediate' | undefined
  /** Protocols by ALPN. Default: `['http/1.1']`; `['h2']` for an app with an `http2` server. */
  alpn?: readonly string[] | undefined
  /** Set Strict-Transport-Security: seconds, or an object. Default: it is not set. */
  hsts?: number | HstsConfig | undefined
  /** A handshake that takes longer is cut off. Default 10000. */
  handshakeTimeoutMs?: number | undefined
}

export type HttpsRedirectConfig = boolean | { port?: number | undefined; status?: 301 | 302 | 307 | 308 | undefined }

interface TlsListenConfig {
  tls?: TlsConfig | undefined
  http2?: Http2Config | undefined
  redirectToHttps?: HttpsRedirectConfig | undefined
  acmeFolder?: string | undefined
}

const HTTPS_PORT = 443
const REDIRECT_STATUS = 308
const HANDSHAKE_TIMEOUT_MS = 10_000
const MAX_AGE_S = 10 * 365 * 86_400
/** The list of browsers takes no shorter age, and only with subdomains (hstspreload.org). */
const PRELOAD_AGE_S = 365 * 86_400

const maxAge = expected(
  v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_AGE_S)),
  `seconds from 0 to ${MAX_AGE_S}, such as 31536000 for a year`,
)
const hstsShape = shape({ maxAge, includeSubDomains: flag, preload: flag }, 'seconds or an object such as { maxAge: 31536000 }')
const certificateEntries = { cert: text, key: v.optional(text), ocsp: v.optional(text) }

export const tlsOptionEntries = {
  cert: v.optional(text),
  key: v.optional(text),
  ocsp: v.optional(text),
  certificates: v.optional(
    v.array(shape(certificateEntries, "an object such as { cert: 'a.crt', key: 'a.key' }"), 'a list of certificates'),
  ),
  folder: v.optional(text),
  passphraseFrom: v.optional(variableName),
  mutual: v.optional(shape({ ca: text, required: flag }, "an object such as { ca: 'clients.pem' }")),
  preset: v.optional(v.picklist(['modern', 'intermediate'], "'modern' or 'intermediate'")),
  alpn: v.optional(
    v.array(expected(v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,255}$/)), "a protocol such as 'http/1.1'"), 'a list of protocols'),
  ),
  hsts: v.optional(v.lazy((input) => (typeof input === 'number' ? maxAge : hstsShape))),
  handshakeTimeoutMs: milliseconds(1),
}

export const tlsEntries = {
  tls: v.optional(shape(tlsOptionEntries, "an object such as { cert: 'site.crt', key: 'site.key' }")),
  redirectToHttps: v.optional(
    v.lazy((input) =>
      typeof input === 'object' && input !== null
        ? shape({
            port: whole(1, 65535, 'a port from 1 to 65535'),
            status: v.optional(v.picklist([301, 302, 307, 308], '301, 302, 307 or 308')),
          })
        : v.boolean('true, false or an object such as { status: 301 }'),
    ),
  ),
  acmeFolder: v.optional(text),
}

type Reader = typeof import('../certificates/listener-certificates.ts')
let reader: Reader | undefined

/** Loads what reads certificates if this config, which may have faults, has a listener with `tls`. Call it before the config is checked. */
export async function loadTlsFor(config: unknown): Promise<void> {
  const wanted = addressesOf(looseOf(config).listen).some(({ tls }) => tls !== undefined)
  if (wanted) reader ??= await import('../certificates/listener-certificates.ts')
}

/** Faults of these options, and of the certificate files if `loadTlsFor` was called. */
export function tlsListenFaults({ listen, unbalanced }: Loose, folder: string, env: NodeJS.ProcessEnv): Fault[] {
  const addresses = addressesOf(listen)
  const hasTls = addresses.some(({ tls }) => tls !== undefined)
  return [
    ...addresses.flatMap((one, index) => listenerFaults(one, pathOf(listen, index), hasTls, folder, env)),
    ...listOf(unbalanced).flatMap((one, index) =>
      Object.keys(tlsEntries)
        .filter((name) => looseOf(one)[name] !== undefined)
        .map((name) => ({ path: `unbalanced[${index}].${name}`, message: 'has no effect: the app itself listens there' })),
    ),
  ]
}

/** Where the `tls` of an address of `listen` stands. */
export function pathOf(listen: unknown, index: number): string {
  return Array.isArray(listen) ? `listen[${index}]` : 'listen'
}

function addressesOf(listen: unknown): Loose[] {
  return [listen].flat().map(looseOf)
}

function listenerFaults(one: Loose, path: string, hasTls: boolean, folder: string, env: NodeJS.ProcessEnv): Fault[] {
  const { tls, redirectToHttps, acmeFolder } = one
  const faults: Fault[] = []
  const refuse = (option: string, message: string) => faults.push({ path: `${path}.${option}`, message })
  if (tls === undefined) {
    if (redirectToHttps === true && !hasTls)
      refuse('redirectToHttps', "needs an address with 'tls' to redirect to, or the port of one: { port: 443 }")
    return faults
  }
  if (redirectToHttps !== undefined && redirectToHttps !== false) refuse('redirectToHttps', "belongs to a listener without 'tls'")
  if (acmeFolder !== undefined) refuse('acmeFolder', "belongs to the listener on port 80, without 'tls': HTTP-01 challenges are plain HTTP")
  if (one.peek === false) refuse('peek', "has no effect with 'tls': the client sends first")
  return [...faults, ...tlsFaults(looseOf(tls), `${path}.tls`, folder, env)]
}

function tlsFaults(tls: Loose, path: string, folder: string, env: NodeJS.ProcessEnv): Fault[] {
  const faults: Fault[] = []
  const refuse = (option: string, message: string) => faults.push({ path: option === '' ? path : `${path}.${option}`, message })
  const { cert, key, ocsp, certificates, folder: own, passphraseFrom, hsts } = tls
  if (cert === undefined && own === undefined && listOf(certificates).length === 0)
    refuse('', "expected a certificate: 'cert' and 'key', 'certificates' or 'folder'")
  if (cert === undefined && key !== undefined) refuse('key', "belongs to 'cert', which is missing")
  if (cert === undefined && ocsp !== undefined) refuse('ocsp', "belongs to 'cert', which is missing")
  if (typeof passphraseFrom === 'string' && !env[passphraseFrom])
    refuse('passphraseFrom', `the environment variable ${passphraseFrom} is not set`)
  const { maxAge: age, includeSubDomains, preload } = looseOf(hsts)
  if (preload === true && (includeSubDomains !== true || !(typeof age === 'number' && age >= PRELOAD_AGE_S)))
    refuse('hsts.preload', `browsers take a site with 'includeSubDomains' and a maxAge from ${PRELOAD_AGE_S} only`)
  // The files are read only when it is clear which they are.
  if (faults.length > 0 || reader === undefined || !v.is(shape(tlsOptionEntries), tls)) return faults
  const { faults: inFiles } = reader.readCertificates(tlsSettings(tls as unknown as TlsConfig, folder, env), Date.now())
  return inFiles.map(({ option, message }) => ({ path: `${path}.${option}`, message }))
}

/** Settings of a checked config. `all`: the whole of `listen`. */
export function tlsListenSettings(
  { tls, http2, redirectToHttps = false, acmeFolder }: TlsListenConfig,
  all: readonly unknown[],
  folder: string,
  env: NodeJS.ProcessEnv,
): Pick<ListenAddress, 'tls' | 'redirectToHttps' | 'acmeFolder'> {
  return {
    ...(tls !== undefined && { tls: tlsSettings({ ...tls, alpn: alpnWithHttp2(tls.alpn, http2) }, folder, env) }),
    ...(redirectToHttps !== false && { redirectToHttps: redirectSettings(redirectToHttps, all) }),
    ...(acmeFolder !== undefined && { acmeFolder: resolve(folder, acmeFolder) }),
  }
}

/** Without a port: that of the first listener with `tls`. */
function redirectSettings(redirect: Exclude<HttpsRedirectConfig, false>, all: readonly unknown[]): HttpsRedirectSettings {
  const { port, status = REDIRECT_STATUS } = redirect === true ? {} : redirect
  const target = all.map(looseOf).find(({ tls }) => tls !== undefined)?.port
  return { port: port ?? (typeof target === 'number' && target > 0 ? target : HTTPS_PORT), status }
}

function tlsSettings(config: TlsConfig, folder: string, env: NodeJS.ProcessEnv): TlsSettings {
  const { cert, key, ocsp, certificates = [], folder: own, passphraseFrom, mutual, preset = 'intermediate', alpn, hsts } = config
  const first = cert === undefined ? [] : [{ cert, key, ocsp }]
  return {
    certificates: [
      ...first.map((one) => filesOf(one, '', folder)),
      ...certificates.map((one, index) => filesOf(one, `certificates[${index}].`, folder)),
    ],
    folder: own === undefined ? undefined : resolve(folder, own),
    passphrase: passphraseFrom === undefined ? undefined : env[passphraseFrom],
    mutual: mutual && { ca: resolve(folder, mutual.ca), required: mutual.required ?? true },
    preset,
    alpn,
    hsts: hsts === undefined ? undefined : hstsValue(hsts),
    handshakeTimeoutMs: config.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
  }
}

function filesOf({ cert, key = cert, ocsp }: CertificateConfig, place: string, folder: string): CertificateFiles {
  return { place, cert: resolve(folder, cert), key: resolve(folder, key), ocsp: ocsp === undefined ? undefined : resolve(folder, ocsp) }
}

function hstsValue(hsts: number | HstsConfig): string {
  const { maxAge: age, includeSubDomains = false, preload = false } = typeof hsts === 'number' ? { maxAge: hsts } : hsts
  return [`max-age=${age}`, ...(includeSubDomains ? ['includeSubDomains'] : []), ...(preload ? ['preload'] : [])].join('; ')
}

/** The environment variables with passphrases, which workers do not get. */
export function passphrasesIn(listen: unknown, env: NodeJS.ProcessEnv): Record<string, string> {
  const names = addressesOf(listen).map(({ tls }) => looseOf(tls).passphraseFrom)
  return Object.fromEntries(
    names.flatMap((name) => (typeof name === 'string' && env[name] !== undefined ? [[name, env[name] as string]] : [])),
  )
}
