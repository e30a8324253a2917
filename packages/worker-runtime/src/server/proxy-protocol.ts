// What a proxy in front said of a connection's client by the PROXY protocol, for the app. The types of values are those of the specification and of
// the documentation of AWS, Azure and Google Cloud.

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { proxiedOf, readTlvs } from '@switchyard/handoff'

/** What the header said. Values that the proxy has not sent are undefined. */
export interface ProxyProtocol {
  readonly family: 'IPv4' | 'IPv6'
  readonly remoteAddress: string
  readonly remotePort: number
  /** The address that the client has connected to. */
  readonly localAddress: string
  readonly localPort: number
  /** The protocol that the client negotiated with the proxy, such as `h2`. */
  readonly alpn: string | undefined
  /** The host name that the client asked the proxy for (SNI). */
  readonly authority: string | undefined
  /** The proxy's id of the connection, at most 128 bytes. */
  readonly uniqueId: Buffer | undefined
  /** The network namespace in the proxy. */
  readonly namespace: string | undefined
  readonly ssl: ProxyProtocolSsl | undefined
  /** AWS: id of the VPC endpoint, such as `vpce-08d2bf15fac5001c9`. */
  readonly awsVpcEndpointId: string | undefined
  /** Azure: id of the private endpoint's link. */
  readonly azureLinkId: number | undefined
  /** Google Cloud: id of the Private Service Connect connection. */
  readonly gcpPscConnectionId: bigint | undefined
  /** Every value with its type, in order. */
  readonly values: readonly (readonly [type: number, value: Buffer])[]
}

/** How the client is connected to the proxy by TLS. */
export interface ProxyProtocolSsl {
  /** Is it? */
  readonly encrypted: boolean
  /** The client has presented a certificate on this connection. */
  readonly hasCertificate: boolean
  /** The same, on this connection or before in the same TLS session. */
  readonly hadCertificate: boolean
  /** The proxy has verified it. */
  readonly authorized: boolean
  /** Such as `TLSv1.3`. */
  readonly version: string | undefined
  /** CN of the client's certificate. */
  readonly certificateName: string | undefined
  readonly cipher: string | undefined
  /** Of the proxy's own certificate. */
  readonly signatureAlgorithm: string | undefined
  readonly keyAlgorithm: string | undefined
}

const ALPN = 0x01
const AUTHORITY = 0x02
const UNIQUE_ID = 0x05
const SSL = 0x20
const SSL_VERSION = 0x21
const SSL_CN = 0x22
const SSL_CIPHER = 0x23
const SSL_SIGNATURE_ALGORITHM = 0x24
const SSL_KEY_ALGORITHM = 0x25
const NAMESPACE = 0x30
const GCP = 0xe0
const AWS = 0xea
const AZURE = 0xee
/** First byte of the values of AWS and Azure. */
const ENDPOINT_ID = 1

const CLIENT_SSL = 1
const CLIENT_CERT_CONNECTION = 2
const CLIENT_CERT_SESSION = 4
/** The client's flags and the result of the verification. */
const SSL_FIXED_BYTES = 5

/** What a proxy said of the client of a request or socket; undefined: it has sent no PROXY protocol header. */
export function proxyProtocol(of: IncomingMessage | Socket): ProxyProtocol | undefined {
  const proxied = proxiedOf('socket' in of ? of.socket : of)
  if (proxied === undefined) return undefined
  const { family, remoteAddress, remotePort, localAddress, localPort } = proxied
  const values = [...readTlvs(proxied.tlvs)]
  const find = (type: number) => firstOf(values, type)
  const [aws, azure, gcp] = [find(AWS), find(AZURE), find(GCP)]
  return {
    ...{ family, remoteAddress, remotePort, localAddress, localPort },
    alpn: find(ALPN)?.toString('latin1'),
    authority: find(AUTHORITY)?.toString(),
    uniqueId: find(UNIQUE_ID),
    namespace: find(NAMESPACE)?.toString('latin1'),
    ssl: sslOf(find(SSL)),
    awsVpcEndpointId: aws?.[0] === ENDPOINT_ID ? aws.toString('latin1', 1) : undefined,
    azureLinkId: azure?.[0] === ENDPOINT_ID && azure.length === 5 ? azure.readUInt32LE(1) : undefined,
    gcpPscConnectionId: gcp?.length === 8 ? gcp.readBigUInt64BE() : undefined,
    values,
  }
}

/** Is the client connected to the proxy by TLS? */
export function isEncryptedAtProxy(socket: Socket): boolean {
  const proxied = proxiedOf(socket)
  return proxied !== undefined && ((firstOf(readTlvs(proxied.tlvs), SSL)?.[0] ?? 0) & CLIENT_SSL) !== 0
}

function firstOf(values: Iterable<ProxyProtocol['values'][number]>, wanted: number): Buffer | undefined {
  for (const [type, value] of values) if (type === wanted) return value
  return undefined
}

function sslOf(value: Buffer | undefined): ProxyProtocolSsl | undefined {
  if (value === undefined || value.length < SSL_FIXED_BYTES) return undefined
  const client = value[0] as number
  const values = [...readTlvs(value.subarray(SSL_FIXED_BYTES))]
  const hadCertificate = (client & (CLIENT_CERT_CONNECTION | CLIENT_CERT_SESSION)) !== 0
  return {
    encrypted: (client & CLIENT_SSL) !== 0,
    hasCertificate: (client & CLIENT_CERT_CONNECTION) !== 0,
    hadCertificate,
    // The result is 0 for a client without a certificate too, in some proxies.
    authorized: hadCertificate && value.readUInt32BE(1) === 0,
    version: firstOf(values, SSL_VERSION)?.toString('latin1'),
    certificateName: firstOf(values, SSL_CN)?.toString(),
    cipher: firstOf(values, SSL_CIPHER)?.toString('latin1'),
    signatureAlgorithm: firstOf(values, SSL_SIGNATURE_ALGORITHM)?.toString('latin1'),
    keyAlgorithm: firstOf(values, SSL_KEY_ALGORITHM)?.toString('latin1'),
  }
}
