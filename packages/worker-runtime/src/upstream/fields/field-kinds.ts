// What a field's name means for a proxy, remembered by name: most connections use the same few names.

import { isClientField, isDisguised, isHopField } from './hop-fields.ts'

/**
 * How a name is treated. `plain`: the field passes. `single`: it passes if it comes once. `hop`: it describes one connection. `client`: it says who the
 * client is, or could be taken for that.
 */
export type FieldKind = 'plain' | 'single' | 'hop' | 'client' | 'invalid' | SpecialName

/** Fields of which servers read the first or the last. */
const SINGLE = new Set(['authorization', 'range', 'if-range', 'content-range', 'content-type'])

/** Fields whose value is read. */
const SPECIAL = ['connection', 'content-length', 'expect', 'host', 'keep-alive', 'trailer', 'transfer-encoding', 'via'] as const
type SpecialName = (typeof SPECIAL)[number]
const SPECIAL_NAMES: ReadonlySet<string> = new Set(SPECIAL)

/** Names that are remembered. The rest is worked out each time. */
const MAX_NAMES = 500
const MAX_NAME_CHARS = 64
/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/

const known = new Map<string, FieldKind>()

/** The kind of a name as it was sent. */
export function kindOf(name: string): FieldKind {
  const kind = known.get(name)
  if (kind !== undefined) return kind
  const found = workOut(name)
  if (known.size < MAX_NAMES && name.length <= MAX_NAME_CHARS) known.set(name, found)
  return found
}

function workOut(name: string): FieldKind {
  if (!TOKEN.test(name)) return 'invalid'
  const lower = name.toLowerCase()
  if (SPECIAL_NAMES.has(lower)) return lower as SpecialName
  if (isHopField(lower)) return 'hop'
  if (SINGLE.has(lower)) return 'single'
  return isClientField(lower) || isDisguised(lower) ? 'client' : 'plain'
}
