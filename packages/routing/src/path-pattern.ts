// Compiles the path patterns of routes. Literals and prefixes are plain comparisons; regexparam does the rest.

import { parse } from 'regexparam'
import { comparedPath } from './head/path-readings.ts'

/** Tests a path in compared form (see `comparedPath`). */
export type PathTest = (path: string) => boolean

export interface PathPattern {
  readonly test: PathTest
  /** The first segment that all matching paths share, see `firstSegment`; `undefined`: they share none. */
  readonly first: string | undefined
}

const SLASH = 0x2f
const EVERY_PATH: PathPattern = { test: () => true, first: undefined }

/**
 * Compiles a pattern: `/literal`, `/prefix/*` (`/prefix` and everything below it), `/*` (everything), `/users/:id`, `/users/:id?`,
 * `/files/:name.json`, `/a/:any/b`. Throws TypeError with `patternFault`'s text.
 */
export function compilePattern(pattern: string): PathPattern {
  const fault = patternFault(pattern)
  if (fault !== undefined) throw new TypeError(`path '${pattern}': ${fault}`)
  if (matchesEveryPath(pattern)) return EVERY_PATH
  const isPrefix = pattern.endsWith('/*')
  const base = comparedPath(isPrefix ? pattern.slice(0, -2) : pattern)
  if (isPrefix && base === '/') return EVERY_PATH
  const first = firstSegment(base)
  if (!base.includes('/:') && !base.includes('/*')) return { test: literalTest(base, isPrefix), first }
  // Outside ASCII, a RegExp that ignores case treats more letters as equal than toLowerCase() does.
  return { test: regexTest(base, isPrefix), first: /^[:*]|[^\0-\x7f]/.test(first) ? undefined : first }
}

function literalTest(base: string, isPrefix: boolean): PathTest {
  if (!isPrefix) return (path) => path === base
  const { length } = base
  const last = base.charCodeAt(length - 1)
  // Two characters rule out most paths without a call for each route.
  return (path) =>
    path.charCodeAt(length - 1) === last && (path.length === length || path.charCodeAt(length) === SLASH) && path.startsWith(base)
}

function regexTest(base: string, isPrefix: boolean): PathTest {
  const segments = base.split('/').map((segment) => (/^[:*]/.test(segment) ? segment : segment.replace(/[.+^${}()|[\]\\?]/g, '\\$&')))
  const regex = parse(segments.join('/') + (isPrefix ? '/*' : '')).pattern
  return isPrefix ? (path) => regex.test(`${path}/`) : (path) => regex.test(path)
}

/** Says what is wrong with a pattern; `undefined` if nothing is. */
export function patternFault(pattern: string): string | undefined {
  if (pattern === '*') return undefined
  if (!pattern.startsWith('/')) return 'expected it to start with /'
  if (/[?#]/.test(pattern.replace(/(\/:\w+)\?(?=\/|$)/g, '$1'))) return 'expected a path without query'
  if (/[^/]\*|\*[^/]/.test(pattern)) return 'expected * to be a whole segment'
  if (/\/:(?!\w+(?:\?|\.[\w.-]+)?(?:\/|$))/.test(pattern)) return 'expected a parameter to be /:name, /:name? or /:name.suffix'
  // With two of them a long path could cost the primary quadratic time.
  if (pattern.slice(0, -1).split('*').length > 2) return 'expected at most one * before the last segment'
  return undefined
}

export function matchesEveryPath(pattern: string | undefined): boolean {
  return pattern === undefined || pattern === '/*' || pattern === '*'
}

/** The first segment of a path in compared form; empty for `/` and for the `*` of OPTIONS. */
export function firstSegment(path: string): string {
  const end = path.indexOf('/', 1)
  return path.slice(1, end === -1 ? path.length : end)
}
