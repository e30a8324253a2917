// Values as PM2 reads them: numbers in text, sizes, times, lists in one text.

import { homedir } from 'node:os'
import { join } from 'node:path'
import { show } from '../faults.ts'

/** A value, or what was expected of it. */
export type Read<T> = { readonly value: T } | { readonly fault: string }

const BYTES = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 } as const
const MS = { s: 1_000, m: 60_000, h: 3_600_000 } as const

function fault(expected: string, value: unknown): { readonly fault: string } {
  return { fault: `expected ${expected}, got ${show(value)}` }
}

export function readText(value: unknown): Read<string> {
  return typeof value === 'string' && value.trim() !== '' ? { value } : fault('a text', value)
}

export function readFlag(value: unknown): Read<boolean> {
  if (value === 'true' || value === 'false') return { value: value === 'true' }
  return typeof value === 'boolean' ? { value } : fault('true or false', value)
}

/** A whole number from `least`, also as text. */
export function readWhole(value: unknown, least = 0): Read<number> {
  const number = typeof value === 'string' && /^\s*-?\d+\s*$/.test(value) ? Number(value) : value
  if (Number.isSafeInteger(number) && (number as number) >= least) return { value: number as number }
  return fault(`a whole number from ${least}`, value)
}

/** Bytes: a number, or a text such as `300M`. */
export function readBytes(value: unknown): Read<number> {
  return readWithUnit(value, BYTES, "a number of bytes, or a size such as '300M'")
}

/** Milliseconds: a number, or a text such as `10s`. */
export function readMs(value: unknown): Read<number> {
  return readWithUnit(value, MS, "a number of milliseconds, or a time such as '10s'")
}

function readWithUnit(value: unknown, units: Readonly<Record<string, number>>, expected: string): Read<number> {
  const [, digits, unit = ''] =
    /^\s*(\d+)\s*([A-Za-z]?)\s*$/.exec(typeof value === 'number' ? String(value) : typeof value === 'string' ? value : '') ?? []
  const factor = unit === '' ? 1 : units[unit]
  if (digits === undefined || factor === undefined) return fault(expected, value)
  return { value: Number(digits) * factor }
}

/** A list, or one text of several words. Quotes keep a word together. */
export function readWords(value: unknown): Read<string[]> {
  if (Array.isArray(value)) {
    if (value.every((word) => typeof word === 'string' || typeof word === 'number')) return { value: value.map(String) }
  } else if (typeof value === 'string') return { value: wordsOf(value) }
  return fault('a list of texts, or one text', value)
}

/** The words of a command line. */
export function wordsOf(text: string): string[] {
  const words = text.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? []
  return words.map((word) => word.replaceAll(/"([^"]*)"|'([^']*)'/g, (_all, double?: string, single?: string) => double ?? single ?? ''))
}

/** A list of whole numbers, also as text, or one of them. */
export function readCodes(value: unknown): Read<number[]> {
  const codes = (Array.isArray(value) ? value : [value]).map((one) => readWhole(one))
  const bad = codes.find((one) => 'fault' in one)
  if (bad !== undefined && 'fault' in bad) return fault('an exit code, or a list of them', value)
  return { value: codes.map((one) => (one as { value: number }).value) }
}

/** `~` is the home of the user. */
export function fromHome(path: string): string {
  return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path
}
