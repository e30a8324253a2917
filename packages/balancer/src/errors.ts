// The error class of the balancer and its codes. docs/errors.md explains each code.

/** `exitCode`: the exit code of the command line. */
export const errorCodes = {
  ERR_CONFIG: { exitCode: 2, meaning: 'The configuration has faults. The message lists all of them, each with its path.' },
  ERR_APP_NOT_FOUND: { exitCode: 2, meaning: 'The app file of a pool does not exist.' },
  ERR_ADDRESS_IN_USE: { exitCode: 3, meaning: 'Another process listens on the address.' },
  ERR_LISTEN: { exitCode: 3, meaning: 'The address could not be bound.' },
  ERR_APP_FAILED: { exitCode: 4, meaning: 'No worker of a pool started: the app exits, throws, or never listens.' },
  ERR_NO_NATIVE: { exitCode: 5, meaning: 'SWITCHYARD_CHANNEL=native needs the native module, which is not built.' },
  ERR_RELOAD_FAILED: { exitCode: 6, meaning: 'A new worker did not start. The old workers keep serving.' },
  ERR_BUSY: { exitCode: 7, meaning: 'Another reload or upgrade is under way.' },
  ERR_NOT_RUNNING: { exitCode: 8, meaning: 'No balancer answers on the control socket.' },
  ERR_NOTHING_TO_ROLL_BACK: { exitCode: 9, meaning: 'No reload has succeeded since the start, or the last one was rolled back already.' },
  ERR_UPGRADE_FAILED: { exitCode: 10, meaning: 'The new primary did not start. The old primary keeps serving.' },
  ERR_CONTROL: { exitCode: 11, meaning: "The control socket can't be used, or another balancer answers on it." },
  ERR_NO_SYSTEMD: { exitCode: 12, meaning: 'systemd does not run here, so no service can be installed.' },
  ERR_SERVICE: { exitCode: 13, meaning: 'The service could not be installed, started or removed.' },
  ERR_NODE_VERSION: { exitCode: 14, meaning: 'This version of Node is too old for the balancer.' },
  ERR_SETUP: { exitCode: 15, meaning: "'balancer doctor' has found a fault." },
  ERR_LOG_FILE: { exitCode: 16, meaning: 'The log file could not be opened.' },
  ERR_INSPECTOR: { exitCode: 17, meaning: "The inspector of a worker can't be opened." },
  ERR_NO_DASHBOARD: { exitCode: 18, meaning: 'The balancer has no admin page, so it has no dashboard.' },
  ERR_NO_TERMINAL: { exitCode: 2, meaning: "'balancer top' needs a terminal." },
  ERR_UNKNOWN_SEAT: { exitCode: 2, meaning: 'The pool, slot or route does not exist.' },
} as const

export type ErrorCode = keyof typeof errorCodes

/** `source`: where the cause is. `retryable`: whether the same call may succeed later. */
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
