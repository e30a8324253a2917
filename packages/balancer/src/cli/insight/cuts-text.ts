// Cut connections of HTTP/2 as `balancer errors` prints them.

import type { CutReport } from '../../insight/cut-report.ts'
import { printable } from '../printable.ts'

const REASONS: Readonly<Record<CutReport['reason'], string>> = {
  resets: 'it reset streams, or began them wrongly, too often',
  'control-bytes': 'it sent too much beyond its requests',
  flood: 'it exceeded a limit of Node: CONTINUATION, SETTINGS, PING, faulty frames or refused streams',
  protocol: 'it sent what the protocol does not allow',
}

/** Several lines without the last line end. */
export function cutsText(cuts: readonly CutReport[]): string {
  const lines = cuts.map(({ time, since, address, listener, reason, count }) => {
    const where = listener === null ? '' : ` at ${printable(listener)}`
    const often = count === 1 ? 'once' : `${count} times since ${new Date(since).toISOString()}`
    return `    ${new Date(time).toISOString()}  ${printable(address)}${where}  ${reason}, ${often}: ${REASONS[reason]}`
  })
  return ['Connections of HTTP/2 that were cut, with the time of the last one:', ...lines].join('\n')
}
