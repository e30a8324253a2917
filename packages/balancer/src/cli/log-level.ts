// The level of the log: from the command line, or else from SWITCHYARD_LOG_LEVEL. `LOG_LEVEL` belongs to the app, whose logger may have other levels.

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

const LOG_LEVEL_VARIABLE = 'SWITCHYARD_LOG_LEVEL'

const DEFAULT_LEVEL = 'info'

/** `warning`: the variable names no level; one sentence. */
export interface LogLevel {
  readonly level: string
  readonly warning?: string | undefined
}

/** `option`: the level of the command line. */
export function logLevelOf(option: string | undefined, env: NodeJS.ProcessEnv): LogLevel {
  const text = env[LOG_LEVEL_VARIABLE]
  if (option !== undefined || !text) return { level: option ?? DEFAULT_LEVEL }
  const level = LOG_LEVELS.find((one) => one === text.toLowerCase())
  if (level !== undefined) return { level }
  return {
    level: DEFAULT_LEVEL,
    warning: `${LOG_LEVEL_VARIABLE}: expected one of ${LOG_LEVELS.join(', ')}, got '${text}'; using ${DEFAULT_LEVEL}`,
  }
}
