// What the log tells from: what the command line says, or else the balancer's own variable. `LOG_LEVEL` is the app's, for a logger with levels of its own.

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

export const logLevelVariable = 'SWITCHYARD_LOG_LEVEL'

const defaultLevel = 'info'

/** `warning`: the variable has no level, in one sentence. */
export interface LogLevel {
  readonly level: string
  readonly warning?: string | undefined
}

/** `asked`: the option of the command line. */
export function logLevelOf(asked: string | undefined, env: NodeJS.ProcessEnv): LogLevel {
  const text = env[logLevelVariable]
  if (asked !== undefined || !text) return { level: asked ?? defaultLevel }
  const level = logLevels.find((one) => one === text.toLowerCase())
  if (level !== undefined) return { level }
  return {
    level: defaultLevel,
    warning: `${logLevelVariable}: expected one of ${logLevels.join(', ')}, got '${text}'; the log is as with ${defaultLevel}`,
  }
}
