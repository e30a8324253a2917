// A piece of advice, as plain data: for the log, the control socket and the dashboard.

export const adviceKinds = [
  'blocking-requests',
  'untrusted-proxy',
  'too-many-workers',
  'changing-key',
  'lost-sessions',
  'waiting',
  'idle-loops',
  'growing-memory',
  'failing-sessions',
] as const

export type AdviceKind = (typeof adviceKinds)[number]

export interface Advice {
  readonly kind: AdviceKind
  /** What it is about: requests such as `GET /reports/:id`, a route, a pool, a worker or an address. */
  readonly subject: string
  /** What was seen, with figures. One or more sentences. */
  readonly seen: string
  /** What to do. One or more sentences. */
  readonly advice: string
  /** Options to put into the config, in the syntax of JavaScript. null: no option helps. */
  readonly config: string | null
}

/** Advice with the time since when it holds, in ms since 1970. */
export interface GivenAdvice extends Advice {
  readonly sinceMs: number
}

export interface AdviceReport {
  /** false: the config has `advice: false`. */
  readonly isOn: boolean
  /** How long the balancer has been watched, at most the time that is remembered. */
  readonly watchedMs: number
  readonly advice: readonly GivenAdvice[]
}
