// What is wrong with a config. Faults are collected and reported together; each says where it is, what was expected and what was found.

import { BalancerError } from '../errors.ts'

export interface Fault {
  /** Such as `pools.web.workers` or `routes[2].pool`; empty for the config as a whole. */
  path: string
  /** Set for a fault with an error code of its own. */
  kind?: 'app-not-found'
  message: string
}

/** One ERR_CONFIG for all faults, one line each. `file` names the config they are in. */
export function configError(faults: readonly Fault[], file: string | undefined): BalancerError {
  const where = file === undefined ? 'The configuration' : file
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`
  return new BalancerError('ERR_CONFIG', [`${where} has ${count}:`, ...faults.map((fault) => `  ${describeFault(fault)}`)].join('\n'), {
    source: 'config',
  })
}

export function describeFault({ path, message }: Fault): string {
  return path === '' ? message : `${path}: ${message}`
}

/** A path in the syntax of JavaScript: `routes[2].header`, `pools["a b"]`. */
export function formatPath(keys: readonly unknown[]): string {
  return keys.reduce<string>((path, key) => {
    if (typeof key === 'number') return `${path}[${key}]`
    const name = String(key)
    if (!/^[A-Za-z_$][\w$-]*$/.test(name)) return `${path}[${JSON.stringify(name)}]`
    return path === '' ? name : `${path}.${name}`
  }, '')
}

/** A short form of a value, on one line. */
export function show(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (value === null || typeof value !== 'object') return typeof value === 'string' ? `'${shorten(value)}'` : String(value)
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  return Object.keys(value).length === 0 ? 'an empty object' : 'an object'
}

function shorten(text: string): string {
  const line = JSON.stringify(text).slice(1, -1)
  return line.length > 60 ? `${line.slice(0, 57)}…` : line
}

/** ` (did you mean 'heavy'?)` when a known name is similar, else an empty string. */
export function didYouMean(word: string, known: Iterable<string>): string {
  let nearest: string | undefined
  // Up to half the letters of a short word may differ, and a third of a long one. A guess further off would mislead.
  let least = Math.max(1, Math.floor(word.length / (word.length < 7 ? 2 : 3))) + 1
  for (const name of known) {
    const distance = editDistance(word.toLowerCase(), name.toLowerCase())
    if (distance < least) [nearest, least] = [name, distance]
  }
  return nearest === undefined ? '' : ` (did you mean '${nearest}'?)`
}

/** Optimal string alignment distance: an insertion, a deletion, a replacement and a swap of two adjacent letters count one each. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 20) return Number.POSITIVE_INFINITY
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const above = rows[i - 1] as number[]
      let cost = Math.min((above[j] as number) + 1, (row[j - 1] as number) + 1, (above[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, (rows[i - 2]?.[j - 2] as number) + 1)
      row.push(cost)
    }
    rows.push(row)
  }
  return rows[a.length]?.[b.length] as number
}

/** A part of a config that is not known to have the right shape. */
export type Loose = Readonly<Record<string, unknown>>

export function looseOf(value: unknown): Loose {
  return typeof value === 'object' && value !== null ? (value as Loose) : {}
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** A fault when the first number is the larger one. Each comes as a number, if it is one, and as it is written. */
export function orderFaults(
  path: string,
  lessName: string,
  [less, lessText]: [unknown, unknown],
  [more, moreText]: [unknown, unknown],
): Fault[] {
  return typeof less === 'number' && typeof more === 'number' && less > more
    ? [{ path, message: `expected at least ${lessName} (${lessText}), got ${moreText}` }]
    : []
}

/** A fault when a number is larger than that of another option. */
export function boundFaults(path: string, boundName: string, value: unknown, bound: unknown): Fault[] {
  return typeof value === 'number' && typeof bound === 'number' && value > bound
    ? [{ path, message: `expected at most ${boundName} (${bound}), got ${value}` }]
    : []
}
