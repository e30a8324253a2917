// Path patterns of routes, and the form of a path they are compared with. Literals and prefixes are plain comparisons; the rest is regexparam's.
// Comparison is generous, as frameworks are, so that a heavy route can't be reached around its pool by spelling its path another way.

import { parse } from 'regexparam'

/** Does a path in compared form (see `comparedPath`) match? */
export type PathTest = (path: string) => boolean

/**
 * Compiles a pattern: `/literal`, `/prefix/*` (matches `/prefix` too and all below), `/*` (everything), `/users/:id`, `/users/:id?`, `/files/:name.json`, `/a/:any/b`.
 * Throws TypeError with `patternFault`'s text.
 */
export function pathTest(pattern: string): PathTest {
  const fault = patternFault(pattern)
  if (fault !== undefined) throw new TypeError(`path '${pattern}': ${fault}`)
  if (pattern === '/*' || pattern === '*') return () => true
  const isPrefix = pattern.endsWith('/*')
  const base = comparedPath(isPrefix ? pattern.slice(0, -2) : pattern)
  if (isPrefix && base === '/') return () => true
  if (!base.includes('/:') && !base.includes('/*')) {
    if (!isPrefix) return (path) => path === base
    const below = `${base}/`
    return (path) => path.startsWith(base) && (path.length === base.length || path.startsWith(below))
  }
  const segments = base.split('/').map((segment) => (/^[:*]/.test(segment) ? segment : segment.replace(/[.+^${}()|[\]\\?]/g, '\\$&')))
  const regex = parse(segments.join('/') + (isPrefix ? '/*' : '')).pattern
  return isPrefix ? (path) => regex.test(`${path}/`) : (path) => regex.test(path)
}

/** What is wrong with a pattern, or `undefined`. */
export function patternFault(pattern: string): string | undefined {
  if (pattern === '*') return undefined
  if (!pattern.startsWith('/')) return 'expected it to start with /'
  if (/[?#]/.test(pattern.replace(/(\/:\w+)\?(?=\/|$)/g, '$1'))) return 'expected a path without query'
  if (/[^/]\*|\*[^/]/.test(pattern)) return 'expected * to be a whole segment'
  if (/\/:(?!\w+(?:\?|\.[\w.-]+)?(?:\/|$))/.test(pattern)) return 'expected a parameter to be /:name, /:name? or /:name.suffix'
  // With two of them a long path could cost quadratic time, in the primary.
  if (pattern.slice(0, -1).split('*').length > 2) return 'expected at most one * before the last segment'
  return undefined
}

/** Does this pattern match every path? */
export function matchesEveryPath(pattern: string | undefined): boolean {
  return pattern === undefined || pattern === '/*' || pattern === '*'
}

/** A path in the form that is compared: percent-encoding decoded (as sent when it is broken), repeated slashes folded, lower case, no slash at the end. */
export function comparedPath(path: string): string {
  let compared = path
  if (compared.includes('%')) {
    try {
      compared = decodeURIComponent(compared)
    } catch {
      // As sent: no framework decodes it either.
    }
  }
  compared = compared.toLowerCase()
  if (compared.includes('//')) compared = compared.replace(/\/{2,}/g, '/')
  return compared.length > 1 && compared.endsWith('/') ? compared.slice(0, -1) : compared
}
