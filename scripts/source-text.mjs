// Reads source as text, well enough for checks that need no parser.

const STRING_OR_COMMENT = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/.*/g

/**
 * The source without comments; strings stay, so that a path such as '/*' opens none.
 * @param {string} source
 * @returns {string}
 */
export function withoutComments(source) {
  return source.replace(STRING_OR_COMMENT, (found) => (found.startsWith('/') ? '' : found))
}

/**
 * The comments of a source with their first lines. Line comments below each other are one comment.
 * @param {string} source
 * @returns {{ line: number, text: string }[]}
 */
export function commentsOf(source) {
  const comments = []
  let endOfLast = -1
  for (const { 0: found, index } of source.matchAll(STRING_OR_COMMENT)) {
    if (!found.startsWith('/')) continue
    const last = comments.at(-1)
    const text = found.replace(/^\/[/*]+|\*\/$/g, '').replace(/^\s*\* ?/gm, '')
    const continues = found.startsWith('//') && last !== undefined && /^\n[ \t]*$/.test(source.slice(endOfLast, index))
    if (continues) last.text += `\n${text}`
    else comments.push({ line: source.slice(0, index).split('\n').length, text })
    endOfLast = index + found.length
  }
  return comments
}

/**
 * The imports of a source: static, dynamic and re-exported specifiers, and `require`. Expects a source without comments.
 * @param {string} source
 * @returns {string[]}
 */
export function importsOf(source) {
  const specifiers = []
  for (const match of source.matchAll(/(?:\bfrom|\bimport|\bimport\s*\(|\brequire\s*\()\s*(['"])([^'"\n]+)\1/g))
    specifiers.push(match[2] ?? '')
  return specifiers
}
