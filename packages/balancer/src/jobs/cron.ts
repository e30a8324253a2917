// Cron expressions: whether they are valid, and when their next time is. The only file that imports croner, and only for a config that needs it.

import type { CronSettings } from '../settings.ts'

type Croner = typeof import('croner')

/** Of an expression. croner computes with every part of it. */
const MAX_CHARS = 200

let croner: Croner | undefined

/** Call it before the other functions of this file. */
export async function loadCron(): Promise<void> {
  croner ??= await import('croner')
}

/** Why it is no cron expression with a time to come, in a few words; undefined: it is one. */
export function cronFault(pattern: string): string | undefined {
  if (pattern.length > MAX_CHARS) return `it has more than ${MAX_CHARS} characters`
  const library = loaded()
  try {
    return makeCron(library, pattern, 'UTC').nextRun() === null ? 'there is no such time to come' : undefined
  } catch (error) {
    return (error as Error).message.replace(/^Cron\w*: /, '')
  }
}

/** Is it the IANA name of a time zone that this Node knows? */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** Computes the times of one expression. Create it from checked settings. */
export class CronTimes {
  private readonly cron: ReturnType<typeof makeCron>

  constructor({ pattern, timeZone }: CronSettings) {
    this.cron = makeCron(loaded(), pattern, timeZone)
  }

  /**
   * The first time after this moment, in ms since 1970; undefined: there is none. A single time of day that the start of summer time skips comes right
   * after the gap, and one that its end repeats comes once.
   */
  after(atMs: number): number | undefined {
    return this.cron.nextRun(new Date(atMs))?.getTime()
  }
}

function makeCron({ Cron }: Croner, pattern: string, timeZone: string | undefined) {
  return new Cron(pattern, { paused: true, ...(timeZone !== undefined && { timezone: timeZone }) })
}

function loaded(): Croner {
  if (croner === undefined) throw new Error('loadCron() was not called before a cron expression was read')
  return croner
}
