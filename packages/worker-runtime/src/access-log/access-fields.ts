// The names of the fields in a template of the access log.

export const accessFields = [
  'address',
  'agent',
  'bytes',
  'host',
  'iso',
  'method',
  'path',
  'placement',
  'pool',
  'protocol',
  'referer',
  'route',
  'service',
  'slot',
  'status',
  'time',
  'upstream',
  'upstreamTime',
  'url',
  'user',
  'wait',
] as const

export type AccessField = (typeof accessFields)[number]

const FIELD = /\{(\w+)\}/g

/** Names in braces that are no fields. */
export function unknownAccessFields(template: string): string[] {
  const names: readonly string[] = accessFields
  return [...template.matchAll(FIELD)].map(([, name]) => name as string).filter((name) => !names.includes(name))
}
