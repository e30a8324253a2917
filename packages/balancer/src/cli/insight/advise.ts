// `balancer advise`: what the running balancer would do better, with the evidence and config to paste.

import type { AdviceReport, GivenAdvice } from '../../advice.ts'
import { type FindBalancerOptions, findBalancer } from '../find-balancer.ts'
import { wrapped } from '../fitted-table.ts'
import { duration } from '../format.ts'
import type { CliIo } from '../io.ts'
import { printable, printableJson } from '../printable.ts'

export interface AdviseOptions extends FindBalancerOptions {
  json?: boolean | undefined
}

const WIDTH = 100

/** Resolves with the exit code. */
export async function advise(options: AdviseOptions, io: CliIo): Promise<number> {
  const report = await (await findBalancer(options, io)).advice()
  if (options.json === true) io.stdout.write(`${printableJson(report, 2)}\n`)
  else io.stdout.write(printable(reportText(report, Math.min(WIDTH, io.stdout.columns ?? WIDTH))))
  return 0
}

/** `width`: columns for sentences; config is never wrapped. */
export function reportText({ isOn, watchedMs, advice }: AdviceReport, width: number): string {
  if (!isOn) return "Advice is switched off: the config of the running balancer has 'advice: false'.\n"
  if (advice.length === 0) return `Nothing to advise, from what was seen in ${duration(watchedMs)}.\n`
  const pieces = advice.map((piece, index) => pieceText(piece, index + 1, width))
  const next = advice.some(({ config }) => config !== null)
    ? "\nPut these options into balancer.config.* ('balancer init' writes one), then: balancer check && balancer reload\n"
    : ''
  return `${pieces.join('\n')}${next}`
}

function pieceText({ subject, kind, seen, advice, config }: GivenAdvice, number: number, width: number): string {
  const sentences = [`Seen:   ${seen}`, `Do:     ${advice}`].map((text) => `   ${wrapped(text, width - 3, '           ')}`)
  const lines = config === null ? [] : ['   Config:', ...config.split('\n').map((line) => `     ${line}`)]
  return `${[`${number}. ${subject} (${kind})`, ...sentences, ...lines].join('\n')}\n`
}
