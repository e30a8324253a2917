// Every server option that this version of Node reads, found in its own source, with values to test.

import { BlockList } from 'node:net'

export type Kind = 'net' | 'http' | 'https' | 'tls' | 'http2'

const BLOCKED = new BlockList()
BLOCKED.addSubnet('127.0.0.0', 8)

/** Options without effect on a connection, or whose values other options cover. */
const NOT_TRIED = undefined

interface PrivateProcess {
  binding(name: 'natives'): Record<string, string>
}

/** The places in Node's source that read the options of each kind. */
const PLACES: Record<Kind, { readonly files: readonly string[]; readonly functions: readonly string[] }> = {
  net: { files: ['net'], functions: ['function Server(options'] },
  http: {
    files: ['_http_server'],
    functions: ['function Server(options', 'function storeHTTPOptions(', 'function setupConnectionsTracking('],
  },
  https: { files: ['https'], functions: ['function Server('] },
  tls: { files: ['internal/tls/wrap', '_tls_wrap'], functions: ['function Server(options', 'Server.prototype.setSecureContext'] },
  http2: {
    files: ['internal/http2/core'],
    functions: ['function initializeOptions(', 'function initializeTLSOptions(', 'class Http2Server ', 'class Http2SecureServer '],
  },
}

/** Values to test, by the kind of server that reads the option. */
const VALUES: Record<Kind, Readonly<Record<string, readonly unknown[] | undefined>>> = {
  net: {
    allowHalfOpen: [true, false],
    blockList: [BLOCKED],
    highWaterMark: [1, 100_000],
    keepAlive: [true, false],
    keepAliveInitialDelay: [0, 30_000],
    noDelay: [true, false],
    pauseOnConnect: [true],
  },
  http: {
    IncomingMessage: NOT_TRIED,
    ServerResponse: NOT_TRIED,
    connectionsCheckingInterval: [100],
    headersTimeout: [5000],
    highWaterMark: [1, 100_000],
    httpValidation: [],
    insecureHTTPParser: [true, false],
    joinDuplicateHeaders: [true],
    keepAlive: [true, false],
    keepAliveInitialDelay: [30_000],
    keepAliveTimeout: [1000],
    keepAliveTimeoutBuffer: [100],
    maxHeaderSize: [20, 1000],
    noDelay: [true, false],
    optimizeEmptyRequests: [true],
    rejectNonStandardBodyWrites: [true],
    requestTimeout: [300_000],
    requireHostHeader: [true, false],
    shouldUpgradeCallback: [() => false],
    uniqueHeaders: [['x-one']],
  },
  https: { ALPNProtocols: [['http/1.1']], ALPNCallback: [() => 'http/1.1'] },
  tls: {
    ALPNCallback: NOT_TRIED,
    ALPNProtocols: [['a', 'b']],
    SNICallback: NOT_TRIED,
    ca: NOT_TRIED,
    cert: NOT_TRIED,
    certificateCompression: NOT_TRIED,
    ciphers: [['ECDHE-ECDSA-AES128-GCM-SHA256', 'TLS_AES_128_GCM_SHA256'].join(':')],
    clientCertEngine: NOT_TRIED,
    crl: NOT_TRIED,
    dhparam: NOT_TRIED,
    ecdhCurve: ['P-256'],
    enableTrace: NOT_TRIED,
    handshakeTimeout: [5000],
    honorCipherOrder: [true],
    key: NOT_TRIED,
    maxVersion: ['TLSv1.2'],
    minVersion: ['TLSv1.3'],
    passphrase: NOT_TRIED,
    pfx: NOT_TRIED,
    privateKeyEngine: NOT_TRIED,
    privateKeyIdentifier: NOT_TRIED,
    pskCallback: NOT_TRIED,
    pskIdentityHint: NOT_TRIED,
    rejectUnauthorized: [false],
    requestCert: [true],
    secureOptions: NOT_TRIED,
    secureProtocol: NOT_TRIED,
    sessionIdContext: ['walk'],
    sessionTimeout: [60],
    sigalgs: NOT_TRIED,
    ticketKeys: [Buffer.alloc(48, 7)],
  },
  http2: {
    ALPNCallback: NOT_TRIED,
    ALPNProtocols: NOT_TRIED,
    Http1IncomingMessage: NOT_TRIED,
    Http1ServerResponse: NOT_TRIED,
    Http2ServerRequest: NOT_TRIED,
    Http2ServerResponse: NOT_TRIED,
    allowHTTP1: NOT_TRIED,
    http1Options: NOT_TRIED,
    maxSessionInvalidFrames: [10],
    maxSessionRejectedStreams: [10],
    remoteCustomSettings: [[1]],
    servername: NOT_TRIED,
    settings: [{ maxConcurrentStreams: 7 }],
    strictSingleValueFields: [false],
    unknownProtocolTimeout: [1000],
  },
}

/** The names of the options that Node reads for a kind of server. */
export function optionNames(kind: Kind): string[] {
  const { natives } = { natives: (process as unknown as PrivateProcess).binding('natives') }
  const { files, functions } = PLACES[kind]
  const text = files.map((file) => natives[file] ?? '').find((source) => source.includes(functions[0] as string)) ?? ''
  const bodies = functions.map((start) => bodyOf(text, start, kind)).join('\n')
  return [...new Set([...bodies.matchAll(/\bopt(?:ion)?s\??\.(\w+)/g)].map(([, name]) => name as string))].sort()
}

function bodyOf(text: string, start: string, kind: Kind): string {
  const from = text.indexOf(start)
  if (from === -1) throw new Error(`this version of Node has no '${start}' for ${kind}: the walk must be told where it reads its options`)
  return text.slice(from, text.indexOf('\n}', from))
}

/** Is an option tested, or known to have no effect? */
export function isConsidered(kind: Kind, name: string): boolean {
  return name in VALUES[kind]
}

/** Options to test one at a time, as far as this version of Node knows them: those of the kind, and of the kinds that it builds on. */
export function optionsToTry(kind: Kind): Record<string, unknown>[] {
  const made: readonly Kind[] = kind === 'https' ? ['https', 'tls', 'http', 'net'] : kind === 'net' ? ['net'] : [kind, 'net']
  const tried: Record<string, unknown>[] = [{}]
  for (const part of made) {
    const names = optionNames(part)
    for (const [name, values = []] of Object.entries(VALUES[part])) {
      if (!names.includes(name)) continue
      for (const value of values) tried.push(name === 'keepAliveInitialDelay' ? { keepAlive: true, [name]: value } : { [name]: value })
    }
  }
  return tried
}
