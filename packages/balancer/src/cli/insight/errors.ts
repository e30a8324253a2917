// `balancer errors`: the last heads that the primary refused or could not read, with the byte at which reading stopped, the exchanges with upstream
// servers that failed, and the connections of HTTP/2 that workers have cut.

import type { BadHeadReport } from '../../insight/bad-head-report.ts'
import type { CutReport } from '../../insight/cut-report.ts'
import type { FailedExchanges } from '../../upstreams/server-counts.ts'
import { slotName } from '../../worker-name.ts'
import { type FindBalancerOptions, findBalancer } from '../find-balancer.ts'
import { table } from '../format.ts'
import type { CliIo } from '../io.ts'
import { printable, printableJson } from '../printable.ts'
import { cutsText } from './cuts-text.ts'

export interface ErrorsOptions extends FindBalancerOptions {
  /** How many of the last heads, and of the last lines of the table of upstream servers. Default: all that are kept. */
  lines?: number | undefined
  json?: boolean | undefined
}

/** Lines that are printed before and behind the one at which reading stopped. The first line is always printed. */
const LINES_BEFORE = 3
const LINES_BEHIND = 1
const MAX_LINE = 160
/** How far into a long line the printed part begins before the byte at fault. */
const CONTEXT = 60

/** Resolves with the exit code. */
export async function errors(options: ErrorsOptions, io: CliIo): Promise<number> {
  const balancer = await findBalancer(options, io)
  const last = <Entry>(entries: readonly Entry[]): readonly Entry[] =>
    options.lines === undefined ? entries : entries.slice(Math.max(0, entries.length - options.lines))
  const heads = last(await balancer.badHeads())
  const exchanges = last((await balancer.failedExchanges()) ?? [])
  const cuts = last((await balancer.cutConnections()) ?? [])
  if (options.json === true) for (const entry of [...heads, ...exchanges, ...cuts]) io.stdout.write(`${printableJson(entry)}\n`)
  else io.stdout.write(`${errorsText(heads, exchanges, cuts)}\n`)
  return 0
}

function errorsText(heads: readonly BadHeadReport[], exchanges: readonly FailedExchanges[], cuts: readonly CutReport[]): string {
  if (heads.length + exchanges.length + cuts.length === 0)
    return 'Since the balancer started, no head was refused or unreadable, no exchange with an upstream server failed, and no connection of HTTP/2 was cut.'
  return [
    ...heads.map(headText),
    ...(exchanges.length === 0 ? [] : [exchangesText(exchanges)]),
    ...(cuts.length === 0 ? [] : [cutsText(cuts)]),
  ].join('\n\n')
}

/** A table of the exchanges with upstream servers that failed, without the last line end. */
export function exchangesText(exchanges: readonly FailedExchanges[]): string {
  return [
    'Exchanges with upstream servers that failed:',
    table([
      ['SERVER', 'URL', 'REASON', 'FAILED', 'SENT AGAIN', 'LAST'],
      ...exchanges.map(({ pool, slot, server, address, reason, failed, retried, time }) => [
        slot === null ? pool : slotName({ pool, slot }),
        `${printable(server ?? '-')}${address === null ? '' : ` (${printable(address)})`}`,
        printable(reason),
        String(failed),
        String(retried),
        new Date(time).toISOString(),
      ]),
    ]),
  ].join('\n')
}

/** Several lines without the last line end. */
export function headText(head: BadHeadReport): string {
  const { number, time, address, reason, why, length } = head
  return [
    `#${number}  ${new Date(time).toISOString()}  ${printable(address ?? 'unix socket')}  ${reason}: ${why}`,
    `    ${stopText(head)}; ${length} bytes were read`,
    ...linesAround(head),
  ].join('\n')
}

function stopText({ offset, byte }: BadHeadReport): string {
  if (offset === null) return 'the whole head was read'
  if (byte === null) return `reading stopped at offset ${offset}`
  const shown = byte > 0x20 && byte < 0x7f ? ` '${String.fromCharCode(byte)}'` : ''
  return `reading stopped at offset ${offset}, at byte 0x${byte.toString(16).padStart(2, '0')}${shown}`
}

/** `>` marks the line at which reading stopped. */
function linesAround({ offset, lines }: BadHeadReport): string[] {
  const faulty = offset === null ? -1 : lines.findLastIndex((line) => line.offset <= offset)
  const texts: string[] = []
  lines.forEach((line, index) => {
    const isNear = faulty === -1 ? index < LINES_BEFORE : index >= faulty - LINES_BEFORE && index <= faulty + LINES_BEHIND
    if (index !== 0 && !isNear) return
    if (index > 0 && texts.length === 1 && !texts[0]?.startsWith('…') && index > 1) texts.push('    …')
    const from = index === faulty && offset !== null && line.text.length > MAX_LINE ? Math.max(0, offset - line.offset - CONTEXT) : 0
    const part = line.text.slice(from, from + MAX_LINE)
    const text = `${from > 0 ? '…' : ''}${part}${from + MAX_LINE < line.text.length ? '…' : ''}`
    texts.push(`  ${index === faulty ? '>' : ' '} ${String(line.offset).padStart(5, '0')}  ${printable(text)}`)
  })
  return texts
}
