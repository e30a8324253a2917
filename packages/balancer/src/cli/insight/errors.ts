// `balancer errors`: the last heads that the primary refused or could not read, with the byte at which reading stopped.

import type { BadHeadReport } from '../../insight/bad-head-report.ts'
import { type FindBalancerOptions, findBalancer } from '../find-balancer.ts'
import type { CliIo } from '../io.ts'
import { printable, printableJson } from '../printable.ts'

export interface ErrorsOptions extends FindBalancerOptions {
  /** How many of the last heads. Default: all that are kept. */
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
  const heads = await (await findBalancer(options, io)).badHeads()
  const shown = options.lines === undefined ? heads : heads.slice(Math.max(0, heads.length - options.lines))
  if (options.json === true) for (const head of shown) io.stdout.write(`${printableJson(head)}\n`)
  else if (shown.length === 0) io.stdout.write('No head was refused or unreadable since the balancer started.\n')
  else io.stdout.write(`${shown.map(headText).join('\n\n')}\n`)
  return 0
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
