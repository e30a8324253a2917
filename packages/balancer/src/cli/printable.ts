// Makes untrusted text safe to print on a terminal. Workers print what clients send; escape sequences in it could set the title, type input,
// or overwrite earlier lines.

/** Colours and weights: SGR (ECMA-48 §8.3.117). */
const SGR = String.raw`\u001b\[[\d:;]*m`
/** C0 without tab and line feed, DEL, C1, and the Unicode controls for text direction and line breaks. */
const CONTROLS = String.raw`\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069`
const UNSAFE = new RegExp(`${SGR}|[${CONTROLS}]`, 'g')
/** Control characters that JSON does not escape. */
const UNSAFE_IN_JSON = new RegExp(`[${CONTROLS}]`, 'g')
const COLOURED = new RegExp(SGR)
const RESET = '\u001b[0m'

/** Escapes control characters, as `\x1b`. `colours`: colour sequences stay and are reset at the end; otherwise they are removed. */
export function printable(text: string, colours = false): string {
  const safe = text.replace(UNSAFE, (found) => (found.length === 1 ? escaped(found) : colours ? found : ''))
  return colours && COLOURED.test(safe) && !safe.trimEnd().endsWith(RESET) ? withReset(safe) : safe
}

/** JSON of the same value with every control character escaped; on one line without `indent`. */
export function printableJson(value: unknown, indent?: number): string {
  return printableJsonText(JSON.stringify(value, null, indent))
}

/** As `printableJson`, for text that is JSON already. */
export function printableJsonText(text: string): string {
  return text.replace(UNSAFE_IN_JSON, (found) => `\\u${hex(found, 4)}`)
}

function withReset(text: string): string {
  return text.endsWith('\n') ? `${text.slice(0, -1)}${RESET}\n` : `${text}${RESET}`
}

function escaped(found: string): string {
  return found.charCodeAt(0) < 0x100 ? `\\x${hex(found, 2)}` : `\\u${hex(found, 4)}`
}

function hex(found: string, digits: number): string {
  return found.charCodeAt(0).toString(16).padStart(digits, '0')
}
