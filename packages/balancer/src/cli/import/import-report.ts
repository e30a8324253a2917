// What `balancer import` says about each option of a file for PM2.

import { basename } from 'node:path'
import type { Finding, FindingState } from '../../config/pm2/finding.ts'
import type { Pm2Import } from '../../config/pm2/import.ts'
import { counted, table } from '../format.ts'

/** What the user must do something about comes first. Each with its word in the summary. */
const WORDS: Readonly<Record<FindingState, string>> = {
  missing: 'missing',
  differs: 'different',
  same: 'the same',
  'not needed': 'not needed',
}
const ORDER = Object.keys(WORDS) as FindingState[]

/** A summary, and for each app a table of its options. */
export function importReport({ config, findings, leftOut }: Pm2Import, file: string): string {
  const names = Object.keys(config.pools ?? {})
  const count = (state: FindingState) => findings.filter((finding) => finding.state === state).length
  const parts = [
    `${basename(file)}: ${counted(names.length, 'app')} ${names.length === 1 ? 'becomes a pool' : 'become pools'}: ${names.join(', ')}.`,
    ...(leftOut.length === 0 ? [] : [`Left out: ${leftOut.join(', ')}.`]),
    `${counted(findings.length, 'option')}: ${ORDER.map((state) => `${count(state)} ${WORDS[state]}`).join(', ')}.`,
  ]
  const pools = [...new Set(findings.map(({ pool }) => pool))]
  return [parts.join('\n'), ...pools.map((pool) => section(findings.filter((finding) => finding.pool === pool)))].join('\n\n')
}

/** The options of one app, or those beside the apps. */
function section(own: readonly Finding[]): string {
  const { app = 'Beside the apps', pool = app } = own[0] ?? {}
  const rows = ORDER.flatMap((state) => own.filter((finding) => finding.state === state)).map(({ option, state, becomes, note }) => [
    option,
    state,
    [becomes, note].filter((part) => part !== undefined).join(': '),
  ])
  return `${app}${pool === app ? '' : ` (pool ${pool})`}\n${table([['OPTION', '', 'BECOMES'], ...rows])}`
}
