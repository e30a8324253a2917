// What a check of `balancer doctor` returns.

/** `warning`: the balancer runs, and less well than it could. `fault`: it does not start, or does not do what the config says. */
export type CheckState = 'ok' | 'warning' | 'fault'

export interface Check {
  readonly name: string
  readonly state: CheckState
  /** What was found, as a sentence without its full stop. Further lines list the parts. */
  readonly found: string
  /** What to do, as whole sentences. */
  readonly advice?: string
}

const ORDER: readonly CheckState[] = ['ok', 'warning', 'fault']

/** The worst of several states; `ok` if there are none. */
export function worstOf(states: readonly CheckState[]): CheckState {
  return ORDER[Math.max(0, ...states.map((state) => ORDER.indexOf(state)))] as CheckState
}

/** Makes one check of several findings. The good ones are listed only where there is no other. */
export function summary(name: string, findings: readonly Omit<Check, 'name'>[]): Check {
  const state = worstOf(findings.map((finding) => finding.state))
  const shown = findings.filter((finding) => state === 'ok' || finding.state !== 'ok')
  const advice = [...new Set(shown.flatMap((finding) => finding.advice ?? []))]
  return {
    name,
    state,
    found: shown.map(({ found }) => found).join('\n'),
    ...(advice.length > 0 && { advice: advice.join('\n') }),
  }
}

/** `Stop it.` of `stop it`. */
export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}
