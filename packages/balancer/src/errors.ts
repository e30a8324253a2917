// The one error class of the balancer and the table of its codes. docs/errors.md lists each.

/** Every code with what it means; the process exit code that the CLI answers with stands beside it. */
export const errorCodes = {
  ERR_CONFIG: { exitCode: 2, meaning: 'The configuration has faults; all of them are listed, each with its path.' },
  ERR_APP_NOT_FOUND: { exitCode: 2, meaning: 'The app file of a pool does not exist.' },
  ERR_ADDRESS_IN_USE: { exitCode: 3, meaning: 'Another process listens on the address.' },
  ERR_LISTEN: { exitCode: 3, meaning: 'The address could not be bound.' },
  ERR_APP_FAILED: { exitCode: 4, meaning: 'No worker of a pool came up: the app exits, throws, or never listens.' },
  ERR_NO_NATIVE: { exitCode: 5, meaning: 'SWITCHYARD_CHANNEL=native insists on the native module, and it is not built.' },
  ERR_RELOAD_FAILED: { exitCode: 6, meaning: 'The new workers of a reload did not come up; the old ones serve on.' },
  ERR_BUSY: { exitCode: 7, meaning: 'Another reload or upgrade is under way.' },
  ERR_NOT_RUNNING: { exitCode: 8, meaning: 'No balancer answers on the control socket.' },
  ERR_NOTHING_TO_ROLL_BACK: { exitCode: 9, meaning: 'There has been no reload since the start, or it was rolled back already.' },
  ERR_UPGRADE_FAILED: { exitCode: 10, meaning: 'The successor of the primary did not come up; everything is as before.' },
  ERR_CONTROL: { exitCode: 11, meaning: "The control socket can't be opened, or another balancer answers on it." },
  ERR_UNKNOWN_SEAT: { exitCode: 2, meaning: 'There is no such pool or slot.' },
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
