// Makes text fit for a terminal that others have chosen: workers print what clients send, and a terminal obeys what is printed. It could set its title, ask it to
// type, or overwrite the lines before.

/** Colours and weights: SGR (ECMA-48 §8.3.117). */
const SGR = String.raw`\u001b\[[\d:;]*m`
/** C0 without tab and line feed, DEL and C1, and what turns the direction of text round or breaks its line. */
const CONTROLS = String.raw`\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069`
const UNFIT = new RegExp(`${SGR}|[${CONTROLS}]`, 'g')
/** What JSON leaves as it is. */
const UNFIT_IN_JSON = new RegExp(`[${CONTROLS}]`, 'g')
const COLOURED = new RegExp(SGR)
const RESET = '\u001b[0m'

/** `colours`: colours stay, up to the end of the text. Else they are left out. Anything else that a terminal obeys is shown, as `\x1b`. */
export function printable(text: string, colours = false): string {
  const shown = text.replace(UNFIT, (found) => (found.length === 1 ? escaped(found) : colours ? found : ''))
  return colours && COLOURED.test(shown) && !shown.trimEnd().endsWith(RESET) ? withReset(shown) : shown
}

/** One line of JSON, with `indent` several. The same value, and nothing in it that a terminal obeys. */
export function printableJson(value: unknown, indent?: number): string {
  return printableJsonText(JSON.stringify(value, null, indent))
}

/** The same for JSON that is written already. */
export function printableJsonText(text: string): string {
  return text.replace(UNFIT_IN_JSON, (found) => `\\u${hex(found, 4)}`)
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
