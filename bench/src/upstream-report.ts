// From the samples of `upstream` to rows, verdicts and a table. Pure.

import { formatMs, markdown, median, pairedRatio, type Verdict } from './report.ts'
import { UPSTREAM_CONNECTIONS, UPSTREAM_PER_SECOND, type UpstreamSample } from './upstream.ts'

const US = 'switchyard'
const HTTP_PROXY = 'http-proxy'
const NGINX = 'nginx'
const CPU_AT_MOST = 0.6
const P99_AT_MOST = 1.5

export interface UpstreamRow {
  readonly contender: string
  /** Medians of the rounds. */
  readonly cpuUs: number
  readonly requestsPerSecond: number
  readonly fullP99Ms: number
  readonly evenP99Ms: number
  /** The cost over those of http-proxy and nginx, by round; the median. NaN without them. */
  readonly ratios: readonly [httpProxy: number, nginx: number]
}

const cost = ({ cpuMs, requests }: UpstreamSample): number => (cpuMs * 1000) / requests

export const upstreamLoad = `${UPSTREAM_CONNECTIONS} kept-alive connections, two servers of Hello world; p99 with as many requests as are passed on, and at ${UPSTREAM_PER_SECOND} requests a second`

/** In order of appearance in the samples. */
export function upstreamRows(samples: readonly UpstreamSample[]): readonly UpstreamRow[] {
  const by = (contender: string) => samples.filter((one) => one.contender === contender)
  return [...new Set(samples.map(({ contender }) => contender))].map((contender) => {
    const own = by(contender)
    return {
      contender,
      cpuUs: median(own.map(cost)),
      requestsPerSecond: median(own.map(({ requests, seconds }) => requests / seconds)),
      fullP99Ms: median(own.map(({ fullP99Ms }) => fullP99Ms)),
      evenP99Ms: median(own.map(({ evenP99Ms }) => evenP99Ms)),
      ratios: [pairedRatio(own, by(HTTP_PROXY), cost), pairedRatio(own, by(NGINX), cost)],
    }
  })
}

export function upstreamVerdicts(samples: readonly UpstreamSample[]): readonly Verdict[] {
  const by = (contender: string) => samples.filter((one) => one.contender === contender)
  const us = by(US)
  const all = [
    { scenario: 'CPU of a request', against: HTTP_PROXY, atMost: CPU_AT_MOST, measured: pairedRatio(us, by(HTTP_PROXY), cost) },
    { scenario: 'p99, full', against: NGINX, atMost: P99_AT_MOST, measured: pairedRatio(us, by(NGINX), ({ fullP99Ms }) => fullP99Ms) },
    { scenario: 'p99, even', against: NGINX, atMost: P99_AT_MOST, measured: pairedRatio(us, by(NGINX), ({ evenP99Ms }) => evenP99Ms) },
  ]
  return all
    .filter(({ measured }) => !Number.isNaN(measured))
    .map((one) => ({ ...one, contender: US, load: 'kept-alive', met: one.measured <= one.atMost }))
}

export function upstreamTable(rows: readonly UpstreamRow[]): string {
  return markdown(
    ['contender', 'CPU µs', `× ${HTTP_PROXY}`, `× ${NGINX}`, 'requests/s', 'p99 ms, full', 'p99 ms, even'],
    rows.map(({ contender, cpuUs, ratios, requestsPerSecond, fullP99Ms, evenP99Ms }) => [
      contender,
      cpuUs.toFixed(1),
      ...ratios.map((ratio) => (Number.isNaN(ratio) ? '' : ratio.toFixed(2))),
      Math.round(requestsPerSecond).toLocaleString('en'),
      formatMs(fullP99Ms),
      formatMs(evenP99Ms),
    ]),
  )
}
