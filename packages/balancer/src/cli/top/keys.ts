// Reads keys from what a terminal sends: characters, control characters, and the escape sequences of cursor keys (ECMA-48, xterm).

/** A printable character stands for itself. */
export type Key =
  | 'up'
  | 'down'
  | 'page-up'
  | 'page-down'
  | 'home'
  | 'end'
  | 'enter'
  | 'escape'
  | 'backspace'
  | 'tab'
  | 'interrupt'
  | 'suspend'
  | 'redraw'
  | { readonly character: string }

const SEQUENCES: Readonly<Record<string, Key>> = {
  '[A': 'up',
  '[B': 'down',
  OA: 'up',
  OB: 'down',
  '[5~': 'page-up',
  '[6~': 'page-down',
  '[H': 'home',
  '[F': 'end',
  OH: 'home',
  OF: 'end',
  '[1~': 'home',
  '[4~': 'end',
  '[7~': 'home',
  '[8~': 'end',
}
const CONTROLS: Readonly<Record<string, Key>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\b': 'backspace',
  '\x7f': 'backspace',
  '\x03': 'interrupt',
  '\x1a': 'suspend',
  '\x0c': 'redraw',
}
/** Escape sequences: CSI with parameters, SS3, or a lone escape. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character begins a sequence
const SEQUENCE = /^\x1b(\[[0-?]*[ -/]*[@-~]|O[A-Z]|)/
/** A terminal sends a sequence at once; more than this is a paste, which is ignored. */
const MAX_INPUT = 256

/** The keys of one piece of input, in order. Unknown sequences are left out. */
export function keysOf(input: string): Key[] {
  if (input.length > MAX_INPUT) return []
  const keys: Key[] = []
  for (let rest = input; rest !== ''; ) {
    const [all, sequence] = SEQUENCE.exec(rest) ?? []
    if (all !== undefined) {
      const key = sequence === '' ? 'escape' : SEQUENCES[sequence as string]
      if (key !== undefined) keys.push(key)
      rest = rest.slice(all.length)
      continue
    }
    const character = String.fromCodePoint(rest.codePointAt(0) as number)
    const control = CONTROLS[character]
    if (control !== undefined) keys.push(control)
    else if (character >= ' ') keys.push({ character })
    rest = rest.slice(character.length)
  }
  return keys
}
