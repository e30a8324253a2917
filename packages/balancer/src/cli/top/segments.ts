// Lines of a screen as pieces of text with a style, so that their width is known before any escape sequence is written.

export type Style = 'bold' | 'dim' | 'good' | 'warn' | 'bad' | 'selected' | 'title'

/** Printable text without control characters. */
export type Segment = string | readonly [text: string, style: Style | undefined]
export type Line = readonly Segment[]

/** SGR codes (ECMA-48 §8.3.117). */
const CODES: Readonly<Record<Style, string>> = { bold: '1', dim: '2', good: '32', warn: '33', bad: '31;1', selected: '7', title: '1;36' }
const RESET = '\x1b[0m'

/** The line in exactly `width` columns or fewer. `hasColour` false: plain text. */
export function lineText(line: Line, width: number, hasColour: boolean): string {
  let text = ''
  let left = width
  for (const segment of line) {
    if (left <= 0) break
    const [content, style] = typeof segment === 'string' ? ([segment, undefined] as const) : segment
    const shown = [...content].slice(0, left).join('')
    left -= [...shown].length
    text += hasColour && style !== undefined && shown !== '' ? `\x1b[${CODES[style]}m${shown}${RESET}` : shown
  }
  return text
}

/** Columns of a line. Every character counts as one. */
export function widthOf(line: Line): number {
  return line.reduce((sum, segment) => sum + [...(typeof segment === 'string' ? segment : segment[0])].length, 0)
}

/** Texts at both ends of a line. */
export function apart(left: Line, right: Line, width: number): Line {
  const gap = width - widthOf(left) - widthOf(right)
  return gap < 1 ? left : [...left, ' '.repeat(gap), ...right]
}
