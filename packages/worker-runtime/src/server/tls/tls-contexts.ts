// The secure contexts of one TLS listener in a worker, by name. A context is made when the first client asks for its name, and again after a renewal.

import { constants, createHash } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import type { CertificateText, MutualTls, TlsChange, TlsListenerStart, TlsPreset } from '../../tls-start.ts'

/** Version 5.7 of https://ssl-config.mozilla.org, without the finite-field suites: they need parameters of their own and are slow. */
const PRESETS: Readonly<Record<TlsPreset, SecureContextOptions>> = {
  modern: { minVersion: 'TLSv1.3' },
  intermediate: {
    minVersion: 'TLSv1.2',
    ciphers: [
      'TLS_AES_128_GCM_SHA256',
      'TLS_AES_256_GCM_SHA384',
      'TLS_CHACHA20_POLY1305_SHA256',
      'ECDHE-ECDSA-AES128-GCM-SHA256',
      'ECDHE-RSA-AES128-GCM-SHA256',
      'ECDHE-ECDSA-AES256-GCM-SHA384',
      'ECDHE-RSA-AES256-GCM-SHA384',
      'ECDHE-ECDSA-CHACHA20-POLY1305',
      'ECDHE-RSA-CHACHA20-POLY1305',
    ].join(':'),
  },
}
/** The hybrid with ML-KEM is known to OpenSSL 3.5 and later. */
const CURVES = ['X25519MLKEM768:X25519:prime256v1:secp384r1', 'X25519:prime256v1:secp384r1']
/** SSL_OP_NO_RENEGOTIATION of OpenSSL, which Node's constants lack. A client that renegotiates makes the server compute for nothing. */
const NO_RENEGOTIATION = 0x4000_0000
/** OpenSSL compares this many characters at most. */
const SESSION_CONTEXT_CHARS = 32

interface Entry extends CertificateText {
  readonly id: string
  /** By the id of the certificate that is served beside it; '': it is alone. */
  readonly contexts: Map<string, SecureContext>
}

/** One certificate, or two with keys of different types. OpenSSL chooses by what the client can verify, and prefers ECDSA to RSA. */
export type Pair = readonly [Entry, Entry?]

/** The options of a server or a context that are the same for all certificates of a listener. */
export function sharedOptions({ preset, mutual }: Pick<TlsListenerStart, 'preset' | 'mutual'>): SecureContextOptions {
  return {
    ...PRESETS[preset],
    ecdhCurve: knownCurves(),
    // All suites are strong. A client without AES in hardware gets the one that is fast there.
    honorCipherOrder: true,
    secureOptions: NO_RENEGOTIATION | constants.SSL_OP_PRIORITIZE_CHACHA,
    sessionIdContext: sessionContextOf(mutual),
    ...(mutual && { ca: mutual.ca }),
  }
}

/**
 * A session is resumed only where the same client certificates were asked for. Otherwise a session of a listener that asks for none would open one that
 * requires them: Node takes a resumed session of TLS 1.3 without a certificate for an authorized one.
 */
function sessionContextOf(mutual: MutualTls | undefined): string {
  const text = mutual === undefined ? '' : `${mutual.required} ${mutual.ca}`
  return createHash('sha256').update(`switchyard ${text}`).digest('hex').slice(0, SESSION_CONTEXT_CHARS)
}

export class TlsContexts {
  private readonly preset: TlsPreset
  private mutual: MutualTls | undefined
  private readonly entries: Map<string, Entry>
  private readonly byName = new Map<string, Pair>()
  /** Those that are served beside another. */
  private readonly paired = new Set<Entry>()
  private readonly keyTypes = new Set<string>()

  constructor({ preset, mutual, certificates }: TlsListenerStart) {
    this.preset = preset
    this.mutual = mutual
    this.entries = new Map(certificates.map((certificate) => [certificate.id, { ...certificate, contexts: new Map() }]))
    this.index()
  }

  /**
   * Have the keys more than one type? Node's callback for names replaces only the certificate of one type, and a client may get that of the default
   * certificate instead. So the context must be chosen before the handshake.
   */
  get isMixed(): boolean {
    return this.keyTypes.size > 1
  }

  /** What a client gets that asks for this name; undefined: for none. */
  choose(servername: string | undefined): Pair {
    return (servername === undefined ? undefined : this.pairFor(servername)) ?? this.defaultPair
  }

  /** Of a server whose clients ask for no name that is known. */
  defaultOptions(): SecureContextOptions {
    return this.optionsOf(this.defaultPair)
  }

  /** The context for a name: that of the certificate with this name, else with a wildcard for it; undefined: the default one. */
  contextFor(servername: string): SecureContext | undefined {
    const pair = this.pairFor(servername)
    if (pair === undefined) return undefined
    const [{ contexts }, second] = pair
    const known = contexts.get(second?.id ?? '')
    if (known !== undefined) return known
    const made = createSecureContext(this.optionsOf(pair))
    contexts.set(second?.id ?? '', made)
    return made
  }

  /** The OCSP response for a certificate, which comes in DER; null: there is none, or Node does not know which of two the client gets. */
  ocspFor(certificate: Buffer): Buffer | null {
    const text = certificate.toString('base64')
    for (const entry of this.entries.values())
      if (entry.ocsp !== undefined && derOf(entry.cert) === text) return this.paired.has(entry) ? null : Buffer.from(entry.ocsp, 'base64')
    return null
  }

  get hasOcsp(): boolean {
    return [...this.entries.values()].some((entry) => entry.ocsp !== undefined && !this.paired.has(entry))
  }

  /** Returns whether the default context has changed. */
  apply(change: TlsChange): boolean {
    if ('ca' in change) {
      if (this.mutual === undefined) return false
      this.mutual = { ...this.mutual, ca: change.ca }
      for (const { contexts } of this.entries.values()) contexts.clear()
      return true
    }
    const { id, certificate } = change
    const [first] = this.entries.keys()
    const before = this.defaultPair
    if (certificate !== undefined) this.entries.set(id, { ...certificate, id, contexts: new Map() })
    // The default certificate is never removed: without one no handshake succeeds.
    else if (id !== first) this.entries.delete(id)
    for (const { contexts } of this.entries.values()) contexts.delete(id)
    this.index()
    return [...before, ...this.defaultPair].some((entry) => entry?.id === id)
  }

  private get defaultPair(): Pair {
    const first = this.entries.values().next().value as Entry
    return this.byName.get(first.names[0] ?? '') ?? [first]
  }

  private pairFor(servername: string): Pair | undefined {
    const name = servername.toLowerCase()
    return this.byName.get(name) ?? this.byName.get(`*${name.slice(Math.max(0, name.indexOf('.')))}`)
  }

  /** For a server or a context. */
  optionsOf([{ cert, key }, second]: Pair): SecureContextOptions {
    const { preset, mutual } = this
    const shared = sharedOptions({ preset, mutual })
    return second === undefined ? { ...shared, cert, key } : { ...shared, cert: [cert, second.cert], key: [key, second.key] }
  }

  private index(): void {
    this.byName.clear()
    this.paired.clear()
    this.keyTypes.clear()
    for (const entry of this.entries.values()) {
      this.keyTypes.add(entry.keyType)
      for (const name of entry.names) this.add(name, entry)
    }
  }

  private add(name: string, entry: Entry): void {
    const [first, second] = this.byName.get(name) ?? []
    if (first === undefined) this.byName.set(name, [entry])
    else if (second === undefined && first.keyType !== entry.keyType) {
      this.byName.set(name, [first, entry])
      this.paired.add(first).add(entry)
    }
  }
}

/** The first certificate of a PEM text in DER, as base64. */
function derOf(pem: string): string {
  return (/-----BEGIN CERTIFICATE-----([^-]+)-----END/.exec(pem)?.[1] ?? '').replaceAll(/\s/g, '')
}

let curves: string | undefined

function knownCurves(): string {
  curves ??= CURVES.find(isKnown) ?? 'auto'
  return curves
}

function isKnown(ecdhCurve: string): boolean {
  try {
    createSecureContext({ ecdhCurve })
    return true
  } catch {
    return false
  }
}
