// The names of the workers' log files: fills in a template such as `{pool}-{slot}.log`, and finds the template again in a name.

import { join } from 'node:path'

/** What stands for the braces. */
export interface FileNameValues {
  readonly name: string
  readonly pool: string
  readonly slot: number
}

export const PLACEHOLDERS = ['name', 'pool', 'slot'] as const

const PLACEHOLDER = /\{(\w+)\}/g

/** Path of a worker's log file. */
export function logFilePath(folder: string, template: string, values: FileNameValues): string {
  return join(
    folder,
    template.replace(PLACEHOLDER, (_, key: keyof FileNameValues) => String(values[key])),
  )
}

/** Does the name of the file name the worker? */
export function namesWorker(template: string): boolean {
  return template.includes('{pool}') && template.includes('{slot}')
}

/** Placeholders of a template that do not exist. */
export function unknownPlaceholders(template: string): string[] {
  return [...template.matchAll(PLACEHOLDER)]
    .map(([, key]) => key as string)
    .filter((key) => !(PLACEHOLDERS as readonly string[]).includes(key))
}

/** Matches the name of a log file of the template, or of a rotated one, with the groups `pool` and `slot`. */
export function fileNamePattern(template: string, name: string): RegExp {
  const seen = new Set<string>()
  const pattern = template
    .split(/(\{\w+\})/)
    .map((part) => {
      const key = /^\{(\w+)\}$/.exec(part)?.[1]
      if (key === undefined) return escaped(part)
      if (key === 'name') return escaped(name)
      const isAgain = seen.has(key)
      seen.add(key)
      if (isAgain) return `\\k<${key}>`
      return key === 'pool' ? '(?<pool>[A-Za-z][\\w-]*?)' : '(?<slot>\\d+)'
    })
    .join('')
  return new RegExp(`^${pattern}$`)
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
