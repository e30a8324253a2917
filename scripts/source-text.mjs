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
