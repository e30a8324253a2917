// `balancer decisions`: which workers the running balancer chose, among which, and how loaded they were.

import type { DecisionReport } from '../../control/control-protocol.ts'
import type { Decision, DecisionCandidate } from '../../decisions/decision.ts'
import { slotName } from '../../worker-name.ts'
import { type FindBalancerOptions, findBalancer } from '../find-balancer.ts'
import { duration } from '../format.ts'
import type { CliIo } from '../io.ts'
import { printable, printableJson } from '../printable.ts'

export interface DecisionsOptions extends FindBalancerOptions {
  follow?: boolean | undefined
  /** How many of the last decisions. Default 20. */
  lines?: number | undefined
  /** The name of a route. */
  route?: string | undefined
  pool?: string | undefined
  slot?: number | undefined
  proxy?: boolean | undefined
  json?: boolean | undefined
}

const DEFAULT_LINES = 20
const HEADER = ['TIME', 'ROUTE', 'WORKER', 'WAITED', 'ORIGIN', 'HOW', 'CANDIDATES']
const WIDTHS = [12, 20, 9, 7, 10, 34]
/** More of a large pool would fill the terminal. The JSON has all of them. */
const MAX_SHOWN = 16

/** Resolves with the exit code. With `follow` that is when the balancer exits. */
export async function decisions(options: DecisionsOptions, io: CliIo): Promise<number> {
  const { follow, lines = DEFAULT_LINES, route, pool, slot, proxy, json } = options
  const client = await findBalancer(options, io)
  let printed = 0
  for await (const report of client.decisions({ count: lines, follow, route, pool, slot, proxy })) {
    if (json === true) {
      io.stdout.write(`${printableJson('decision' in report ? report.decision : report)}\n`)
    } else if ('decision' in report) {
      if (printed++ === 0) io.stdout.write(`${columns(HEADER)}\n`)
      io.stdout.write(`${decisionLine(report.decision)}\n`)
    } else io.stderr.write(`${noticeOf(report, follow === true)}\n`)
  }
  return 0
}

/** One line without its end. */
export function decisionLine(decision: Decision): string {
  const { time, route, pool, proxy, worker, refused, waitedMs, origin, candidates, omitted } = decision
  const shown = candidates.slice(0, MAX_SHOWN).map((candidate) => candidateText(candidate, worker))
  const more = candidates.length - shown.length + omitted
  return columns([
    clockTime(time),
    printable(route),
    worker === null ? `${pool}/-` : slotName({ pool, slot: worker.slot, proxy }),
    duration(waitedMs),
    origin,
    refused === null ? howText(decision) : `refused: ${refused}`,
    [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join(' '),
  ])
}

/** `sticky-hash by cookie sid #0123456789ab`, or what chose instead of the policy. */
function howText({ policy, by, key }: Decision): string {
  const name = by === 'policy' || by === null ? policy : `${policy}, ${by}`
  return key === null ? name : `${name} by ${printable(key.kind)} #${key.hash}`
}

/** `2:5` for 5 requests in flight in slot 2, `2:5~12ms` if its loop has been busy for 12 ms, `2:5*` if it was chosen. */
function candidateText({ slot, generation, inFlight, isFree, busyMs }: DecisionCandidate, worker: Decision['worker']): string {
  const busy = isFree ? '' : `~${busyMs < 10 ? busyMs.toFixed(1) : Math.round(busyMs)}ms`
  return `${slot}:${inFlight}${busy}${worker?.slot === slot && worker.generation === generation ? '*' : ''}`
}

function columns(cells: readonly string[]): string {
  return cells
    .map((cell, index) => (index < WIDTHS.length ? `${cell.padEnd(WIDTHS[index] as number)} ` : cell))
    .join(' ')
    .trimEnd()
}

function noticeOf(report: Exclude<DecisionReport, { decision: Decision }>, isFollowing: boolean): string {
  if ('lost' in report) return `… ${report.lost} decisions were skipped: there are too many to print`
  return isFollowing
    ? '… no decision was recorded before; recording begins now'
    : "… no decision was recorded before. Recording begins now and ends 10 minutes after the last reader: run the command again, follow with -f, or set 'decisions: true' in the config"
}

/** Hours, minutes, seconds and milliseconds in the zone of this process. */
export function clockTime(ms: number): string {
  const date = new Date(ms)
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0'))
  return `${parts.join(':')}.${String(date.getMilliseconds()).padStart(3, '0')}`
}
