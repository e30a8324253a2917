// The one error class of the balancer and the table of its codes. docs/errors.md lists each.

/** Every code with what it means; the process exit code that the CLI answers with stands beside it. */
export const errorCodes = {
  ERR_CONFIG: { exitCode: 2, meaning: 'The configuration has faults; all of them are listed, each with its path.' },
  ERR_APP_NOT_FOUND: { exitCode: 2, meaning: 'The app file of a pool does not exist.' },
  ERR_ADDRESS_IN_USE: { exitCode: 3, meaning: 'Another process listens on the address.' },
  ERR_LISTEN: { exitCode: 3, meaning: 'The address could not be bound.' },
  ERR_APP_FAILED: { exitCode: 4, meaning: 'No worker of a pool came up: the app exits, throws, or never listens.' },
  ERR_NO_NATIVE: { exitCode: 5, meaning: 'SWITCHYARD_CHANNEL=native insists on the native module, and it is not built.' },
} as const

export type ErrorCode = keyof typeof errorCodes

/** An error that a person can act on. `source` tells whose fault it is; `retryable` whether the same call may succeed later. */
export class BalancerError extends Error {
  readonly code: ErrorCode
  readonly source: 'config' | 'app' | 'system'
  readonly retryable: boolean

  constructor(code: ErrorCode, message: string, options: { source: 'config' | 'app' | 'system'; retryable?: boolean; cause?: unknown }) {
    super(message, { cause: options.cause })
    this.name = 'BalancerError'
    this.code = code
    this.source = options.source
    this.retryable = options.retryable ?? false
  }
}
