// Counts the TLS handshakes of this worker by outcome: those of the app's own servers, and those that end in front of a plain one.

import type { Socket } from 'node:net'
import { TLSSocket, type Server as TlsServer } from 'node:tls'
import { type HandshakeFailure, type HandshakeOutcome, handshakeOutcomes } from '../../handshake-messages.ts'
import type { Runtime } from '../../runtime.ts'

const INTERVAL_MS = 1000

/** By the codes of Node and the reasons of OpenSSL, which Node puts behind `ERR_SSL_`. The first match counts. */
const REASONS: readonly (readonly [code: RegExp, reason: HandshakeFailure])[] = [
  [/^ERR_TLS_HANDSHAKE_TIMEOUT$/, 'timeout'],
  [/^(ECONNRESET|EPIPE|ERR_STREAM_PREMATURE_CLOSE)$/, 'hung-up'],
  [/PEER_DID_NOT_RETURN|CERTIFICATE_VERIFY_FAILED/, 'client-certificate'],
  [/ALERT_(UNKNOWN_CA|(NO|BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_\w+|ACCESS_DENIED)/, 'certificate-refused'],
  [/UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|VERSION_TOO_LOW|INAPPROPRIATE_FALLBACK/, 'protocol-version'],
  [/NO_APPLICATION_PROTOCOL/, 'no-shared-alpn'],
  [/NO_SHARED_(CIPHER|GROUP|SIGNATURE_ALGORITHMS?)|NO_SUITABLE|NO_CIPHERS|HANDSHAKE_FAILURE/, 'no-shared-cipher'],
  [/HTTP_REQUEST|HTTPS_PROXY_REQUEST|WRONG_VERSION_NUMBER|PACKET_LENGTH|UNEXPECTED_MESSAGE|BAD_RECORD_TYPE/, 'not-tls'],
]

/** An error of a handshake, and what Node has found wrong with the client's certificate. */
export interface FailedHandshake {
  readonly code?: string | undefined
  readonly authorizationError?: unknown
}

export function reasonOf({ code = '', authorizationError }: FailedHandshake): HandshakeFailure {
  // Node ends such a connection by itself, and the error says that it was cut off.
  if (authorizationError) return 'client-certificate'
  return REASONS.find(([pattern]) => pattern.test(code))?.[1] ?? 'other'
}

export class Handshakes {
  private readonly runtime: Pick<Runtime, 'send'>
  private readonly watched = new WeakSet<TlsServer>()
  private counts = none()
  private hasChanged = false
  private timer: NodeJS.Timeout | undefined

  constructor(runtime: Pick<Runtime, 'send'>) {
    this.runtime = runtime
  }

  /** Counts the handshakes of this server from now on. The timer of the reports keeps no process alive. */
  watch(server: TlsServer): void {
    if (this.watched.has(server)) return
    this.watched.add(server)
    server.prependListener('secureConnection', (socket: Socket) => {
      // A request that another worker forwards arrives on a socket without TLS.
      if (socket instanceof TLSSocket) this.count(socket.isSessionReused() ? 'resumed' : 'full')
    })
    server.prependListener('tlsClientError', ({ code }: NodeJS.ErrnoException, { authorizationError }: TLSSocket) =>
      this.count(reasonOf({ code, authorizationError })),
    )
    if (this.timer !== undefined) return
    this.timer = setInterval(() => this.report(), INTERVAL_MS).unref()
    process.on('exit', () => this.report())
  }

  /** Sends what was counted since the last report. */
  report(): void {
    if (!this.hasChanged) return
    this.runtime.send({ switchyard: 'handshakes', counts: this.counts })
    this.counts = none()
    this.hasChanged = false
  }

  private count(outcome: HandshakeOutcome): void {
    const index = handshakeOutcomes.indexOf(outcome)
    this.counts[index] = (this.counts[index] as number) + 1
    this.hasChanged = true
  }
}

function none(): number[] {
  return new Array<number>(handshakeOutcomes.length).fill(0)
}
