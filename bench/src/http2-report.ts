// From the samples of `http2` to rows, verdicts and a table. Pure.

import { OWN_HTTP2 } from './contenders.ts'
import type { Http2Sample, Http2Scenario } from './http2.ts'
import { markdown, median, pairedRatio, type Verdict } from './report.ts'

const NGINX = 'nginx'
const HAPROXY = 'HAProxy'
const US = 'switchyard'
const REFERENCES = [OWN_HTTP2, NGINX, HAPROXY] as const

/** In every scenario. */
const targets: readonly { readonly against: string; readonly atMost: number }[] = [
  { against: OWN_HTTP2, atMost: 1.3 },
  { against: NGINX, atMost: 1 },
]

export interface Http2Row {
  readonly scenario: Http2Scenario
  readonly contender: string
  /** Median of the rounds. */
  readonly cpuUs: number
  /** Over each of the references, by round; the median. NaN without it. */
  readonly ratios: readonly number[]
}

const cost = ({ cpuMs, units }: Http2Sample): number => (cpuMs * 1000) / units

/** In order of appearance in the samples. */
export function http2Rows(samples: readonly Http2Sample[]): readonly Http2Row[] {
  const names = [...new Set(samples.map(({ contender }) => contender))]
  return [...new Set(samples.map(({ scenario }) => scenario))].flatMap((scenario) =>
    names.map((contender) => {
      const own = of(samples, scenario, contender)
      const ratios = REFERENCES.map((reference) => pairedRatio(own, of(samples, scenario, reference), cost))
      return { scenario, contender, cpuUs: median(own.map(cost)), ratios }
    }),
  )
}

export function http2Verdicts(samples: readonly Http2Sample[]): readonly Verdict[] {
  return [...new Set(samples.map(({ scenario }) => scenario))].flatMap((scenario) =>
    targets
      .map(({ against, atMost }) => {
        const measured = pairedRatio(of(samples, scenario, US), of(samples, scenario, against), cost)
        return { scenario, contender: US, against, atMost, load: 'h2load', measured, met: measured <= atMost }
      })
      .filter(({ measured }) => !Number.isNaN(measured)),
  )
}

export function http2Table(rows: readonly Http2Row[]): string {
  return markdown(
    ['scenario', 'contender', 'CPU µs', ...REFERENCES.map((reference) => `× ${reference}`)],
    rows.map(({ scenario, contender, cpuUs, ratios }) => [
      scenario,
      contender,
      cpuUs.toFixed(1),
      ...ratios.map((ratio) => (Number.isNaN(ratio) ? '' : ratio.toFixed(2))),
    ]),
  )
}

function of(samples: readonly Http2Sample[], scenario: string, contender: string): readonly Http2Sample[] {
  return samples.filter((one) => one.scenario === scenario && one.contender === contender)
}
