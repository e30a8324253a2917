// The settings of the addresses to listen on: what clients speak there, and what the primary and the workers do about it.

import type { ListenerProtocol } from '@switchyard/routing'
import type { Http2ListenerStart, TlsPreset } from '@switchyard/worker-runtime'

/** The proxies that send headers of the PROXY protocol to a listener. */
export interface ProxyProtocolSettings {
  /** Addresses, CIDRs, and 'unix' for peers on a unix socket. */
  from: readonly string[]
  /** A connection of these peers must begin with a header. */
  required: boolean
}

/** An address to listen on: TCP (`host` undefined: dual-stack) or a unix socket. */
export interface ListenAddress {
  host: string | undefined
  /** 0: the kernel chooses. */
  port: number | undefined
  /** Path of a unix socket; then host and port are undefined. */
  path: string | undefined
  ipv6Only: boolean
  backlog: number
  /** false: route by address alone, without deferred accept, for servers that send first. undefined: true for HTTP and TLS servers. */
  peek: boolean | undefined
  /** What clients speak, if heads are peeked at. Left out: judged by the first bytes. */
  protocol?: ListenerProtocol | undefined
  /** Whether other processes may listen there too. Left out: no. */
  reusePort?: boolean | undefined
  /** Which peers begin their connections with a header of the PROXY protocol. Left out: none. */
  proxyProtocol?: ProxyProtocolSettings | undefined
  /** File mode of a unix socket. Left out: the umask of the primary decides. */
  mode?: number | undefined
  /** Workers end TLS there for an app with a plain server. Left out: no. */
  tls?: TlsSettings | undefined
  /** Workers end HTTP/2 there for an app with a plain server. Left out: no. */
  http2?: Http2Settings | undefined
  /** The primary answers every request there with a redirect to https. Left out: no. */
  redirectToHttps?: HttpsRedirectSettings | undefined
  /** Absolute path of a folder from which the primary answers HTTP-01 challenges. Left out: none. */
  acmeFolder?: string | undefined
}

/** Absolute paths of the files of one certificate. */
export interface CertificateFiles {
  /** Where it stands in `tls`: empty, or such as `certificates[1].`. */
  readonly place: string
  readonly cert: string
  /** The same as `cert` if one file has both. */
  readonly key: string
  /** An OCSP response in DER. */
  readonly ocsp: string | undefined
}

export interface TlsSettings {
  /** The first serves clients that ask for no name that is known. */
  readonly certificates: readonly CertificateFiles[]
  /** A folder of further certificates, as certbot and others write them. */
  readonly folder: string | undefined
  /** Of encrypted keys. */
  readonly passphrase: string | undefined
  /** Client certificates: the file of the authorities. undefined: none are asked for. */
  readonly mutual: { readonly ca: string; readonly required: boolean } | undefined
  readonly preset: TlsPreset
  /** Protocols by ALPN. undefined: those of the app's server. */
  readonly alpn: readonly string[] | undefined
  /** Value of the field Strict-Transport-Security. undefined: none is set. */
  readonly hsts: string | undefined
  readonly handshakeTimeoutMs: number
}

/** What the primary does about clients whose connections of HTTP/2 are cut. */
export interface AttackerSettings {
  /** So many cut connections of one client within ten seconds, and its new ones are refused. 0: never. */
  readonly refuseAfterCuts: number
  readonly refuseMs: number
  /** Also clients with addresses of private networks. */
  readonly refusePrivate: boolean
}

/** Limits of HTTP/2, as `Http2ListenerStart` explains them. */
export type Http2Settings = Omit<Http2ListenerStart, 'listener'> & AttackerSettings

export interface HttpsRedirectSettings {
  readonly port: number
  readonly status: 301 | 302 | 307 | 308
}
