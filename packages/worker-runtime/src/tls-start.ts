// What a worker needs to end TLS for its app, listener by listener: in its start data, and in the messages by which the primary renews certificates.

/** A certificate as PEM texts. The primary has checked it. */
export interface CertificateText {
  /** Host names and IP addresses, in lower case; `*.example.com` is a wildcard for one label. */
  readonly names: readonly string[]
  /** The certificate, then those of its issuers. */
  readonly cert: string
  readonly key: string
  /** Such as `rsa` or `ec`. Certificates of two types that share a name are served side by side. */
  readonly keyType: string
  /** An OCSP response in DER, as base64. Left out: none is stapled. */
  readonly ocsp?: string | undefined
}

/** Mozilla's guidelines for servers: TLS 1.3 alone, or TLS 1.2 too. */
export type TlsPreset = 'modern' | 'intermediate'

/** Client certificates. `required` false: a client without one is served too, and `socket.authorized` tells. */
export interface MutualTls {
  /** PEM texts of the authorities. */
  readonly ca: string
  readonly required: boolean
}

/** One listener that ends TLS. */
export interface TlsListenerStart {
  readonly listener: number
  /** In the order of the config. The first one serves clients that ask for no name, or for an unknown one. */
  readonly certificates: readonly (CertificateText & { readonly id: string })[]
  readonly mutual?: MutualTls | undefined
  readonly preset: TlsPreset
  /** Protocols by ALPN. Left out: those of the app's server. */
  readonly alpn?: readonly string[] | undefined
  /** Value of the field Strict-Transport-Security. Left out: none is set. */
  readonly hsts?: string | undefined
  readonly handshakeTimeoutMs: number
}

/** A change of a listener's certificates. */
export type TlsChange =
  /** A renewed or a new certificate; undefined: it is there no more. */
  | { readonly listener: number; readonly id: string; readonly certificate: CertificateText | undefined }
  /** Other authorities for client certificates. */
  | { readonly listener: number; readonly ca: string }

/** A valid change, else undefined. */
export function readTlsChange(from: Record<string, unknown>): TlsChange | undefined {
  const { listener, id, ca, certificate } = from
  if (!Number.isSafeInteger(listener)) return undefined
  if (typeof ca === 'string') return { listener: listener as number, ca }
  if (typeof id !== 'string') return undefined
  if (certificate === undefined) return { listener: listener as number, id, certificate }
  const text = readCertificate(certificate)
  return text && { listener: listener as number, id, certificate: text }
}

function readCertificate(from: unknown): CertificateText | undefined {
  if (typeof from !== 'object' || from === null) return undefined
  const { names, cert, key, keyType, ocsp } = from as Record<string, unknown>
  if (!Array.isArray(names) || typeof cert !== 'string' || typeof key !== 'string' || typeof keyType !== 'string') return undefined
  const listed = names.filter((name): name is string => typeof name === 'string')
  return { names: listed, cert, key, keyType, ...(typeof ocsp === 'string' && { ocsp }) }
}
