// From the samples of `tls` to rows, verdicts and a table. Pure.

import { markdown, median, pairedRatio, type Verdict } from './report.ts'
import type { TlsSample, TlsScenario } from './tls.ts'

const OWN_TLS = 'https, SCHED_NONE'
const NGINX = 'nginx'
const US = 'switchyard'

const targets: readonly { readonly scenario: TlsScenario; readonly against: string; readonly atMost: number }[] = [
  { scenario: 'kept-alive request', against: OWN_TLS, atMost: 1.05 },
  { scenario: 'kept-alive request', against: NGINX, atMost: 0.6 },
  { scenario: 'full handshake', against: OWN_TLS, atMost: 1.05 },
]
/** A resumed handshake over a full one. */
const RESUMED_AT_MOST = 0.8

export interface TlsRow {
  readonly scenario: TlsScenario
  readonly contender: string
  /** Median of the rounds. */
  readonly cpuUs: number
  readonly resumedShare: number
  /** Over https in the app and over nginx, by round; the median. NaN without them. */
  readonly ratios: readonly [ownTls: number, nginx: number]
}

const cost = ({ cpuMs, units }: TlsSample): number => (cpuMs * 1000) / units

/** In order of appearance in the samples. */
export function tlsRows(samples: readonly TlsSample[]): readonly TlsRow[] {
  const by = (scenario: string, contender: string) => samples.filter((one) => one.scenario === scenario && one.contender === contender)
  const names = [...new Set(samples.map(({ contender }) => contender))]
  return [...new Set(samples.map(({ scenario }) => scenario))].flatMap((scenario) =>
    names.map((contender) => {
      const own = by(scenario, contender)
      return {
        scenario,
        contender,
        cpuUs: median(own.map(cost)),
        resumedShare: median(own.map(({ resumedShare }) => resumedShare)),
        ratios: [pairedRatio(own, by(scenario, OWN_TLS), cost), pairedRatio(own, by(scenario, NGINX), cost)] as const,
      }
    }),
  )
}

export function tlsVerdicts(samples: readonly TlsSample[]): readonly Verdict[] {
  const by = (scenario: string, contender: string) => samples.filter((one) => one.scenario === scenario && one.contender === contender)
  const all = targets.map((target) => ({
    ...target,
    measured: pairedRatio(by(target.scenario, US), by(target.scenario, target.against), cost),
  }))
  const resumed = pairedRatio(by('resumed handshake', US), by('full handshake', US), cost)
  return [...all, { scenario: 'resumed handshake', against: 'a full one', atMost: RESUMED_AT_MOST, measured: resumed }]
    .filter(({ measured }) => !Number.isNaN(measured))
    .map((one) => ({ ...one, contender: US, load: 'TLS 1.3', met: one.measured <= one.atMost }))
}

export function tlsTable(rows: readonly TlsRow[]): string {
  return markdown(
    ['scenario', 'contender', 'CPU µs', `× ${OWN_TLS}`, `× ${NGINX}`, 'resumed'],
    rows.map(({ scenario, contender, cpuUs, ratios, resumedShare }) => [
      scenario,
      contender,
      cpuUs.toFixed(1),
      ...ratios.map((ratio) => (Number.isNaN(ratio) ? '' : ratio.toFixed(2))),
      `${Math.round(resumedShare * 100)} %`,
    ]),
  )
}
