// The table of routes: which pool and policy a head belongs to. The first route that matches wins.

import type { RequestHead } from './head/request-head.ts'
import { compilePattern, firstSegment, matchesEveryPath, type PathTest } from './path-pattern.ts'
import type { Policy } from './policy.ts'

/** What a head must be. What is left out may be anything. */
export interface RouteMatch {
  /** A pattern, see `compilePattern`; compared without regard to case. */
  readonly path?: string
  /** One of these methods, exactly: GET does not mean HEAD. */
  readonly method?: string | readonly string[]
  /** A host without port, or `*.example.com` for every host below it. */
  readonly host?: string
  /** Fields that must be there (`true`) or have exactly this value. */
  readonly header?: Readonly<Record<string, string | true>>
}

/** A route as plain data. */
export interface RouteData extends RouteMatch {
  readonly name?: string
  readonly pool: string
}

export interface Route<P = Policy> {
  readonly match: RouteMatch
  readonly pool: string
  readonly policy: P
  /** What people call it, such as `POST api.example.com/v2/*`. */
  readonly name: string
}

/** Why a head went where it went. `tried` ends with the route that was taken. */
export interface RouteExplanation<P = Policy> {
  readonly route: Route<P>
  readonly tried: readonly { readonly route: Route<P>; readonly why: string }[]
}

/** What becomes of a head whose path can be read in several ways. */
interface Weighed<P> {
  readonly route: Route<P>
  /** The reading that the route was found by; `undefined`: there are too many. */
  readonly path: string | undefined
  /** Readings belong to different pools. */
  readonly isTorn: boolean
}

interface CompiledRoute<P> {
  readonly route: Route<P>
  /** In the table. */
  readonly place: number
  readonly path: PathTest | undefined
  /** The first segment of every path that matches; `undefined`: it may be any. */
  readonly first: string | undefined
  readonly methods: readonly string[] | undefined
  readonly host: string | undefined
  readonly domain: string | undefined
  readonly header: readonly (readonly [string, string | true])[]
}

export class RouteTable<P = Policy> {
  readonly routes: readonly Route<P>[]
  readonly fallback: Route<P>
  private readonly compiled: readonly CompiledRoute<P>[]
  /** The routes that can match a path with this first segment, in order. */
  private readonly byFirst: ReadonlyMap<string, readonly CompiledRoute<P>[]>
  /** Those that can match any other path, or none. */
  private readonly elsewhere: readonly CompiledRoute<P>[]
  private readonly unread: Route<P>
  private readonly hasPools: boolean

  /** `fallback` is taken when no route matches; its own match is not looked at. Throws TypeError when a path pattern is not one. */
  constructor(routes: readonly Route<P>[], fallback: Route<P>) {
    this.routes = routes
    this.fallback = fallback
    this.compiled = routes.map(compile)
    const firsts = new Set(this.compiled.map(({ first }) => first).filter((first) => first !== undefined))
    const mayStart = (segment?: string) => this.compiled.filter(({ first }) => first === undefined || first === segment)
    this.byFirst = new Map([...firsts].map((first) => [first, mayStart(first)]))
    this.elsewhere = mayStart()
    this.hasPools = routes.some(({ pool }) => pool !== fallback.pool)
    this.unread = this.compiled.find(matchesEverything)?.route ?? fallback
  }

  /**
   * Finds the route of a head. A head that says nothing (ambiguous, or routed by address alone) gets the first route that matches
   * everything, or else the fallback.
   */
  find(head: RequestHead): Route<P> {
    if (saysNothing(head)) return this.unread
    const { paths } = head
    if (typeof paths === 'object') return this.weigh(head, paths).route
    return this.match(head, paths)?.route ?? this.fallback
  }

  /**
   * Must a head be refused, because an app can take it for a request of another pool than the one that it would go to? Either it does not say to which host it
   * goes, or its path can be read in several ways that belong to different pools. Where there is one pool there is no doubt. Of an ambiguous head
   * that is not parsed yet the worker's parser decides first.
   */
  refuses(head: RequestHead): boolean {
    if (!this.hasPools || head.outcome !== 'complete') return false
    if (head.ambiguous) return head.isParsed
    if (!head.namesOneHost) return true
    const { paths } = head
    return typeof paths === 'object' && this.weigh(head, paths).isTorn
  }

  /** The first route that one of the readings matches. */
  private weigh(head: RequestHead, paths: readonly string[]): Weighed<P> {
    let first: CompiledRoute<P> | undefined
    let path = paths[0]
    let pool: string | undefined
    let isTorn = path === undefined
    for (const reading of paths) {
      const compiled = this.match(head, reading)
      if (compiled === undefined) continue
      if (first === undefined || compiled.place < first.place) {
        first = compiled
        path = reading
      }
      // To the route for everything else nothing belongs that has one of its own.
      if (matchesEverything(compiled)) continue
      if (pool !== undefined && pool !== compiled.route.pool) isTorn = true
      pool = compiled.route.pool
    }
    return { route: first?.route ?? this.fallback, path, isTorn }
  }

  private match(head: RequestHead, path: string | undefined): CompiledRoute<P> | undefined {
    const likely = (path === undefined ? undefined : this.byFirst.get(firstSegment(path))) ?? this.elsewhere
    for (const compiled of likely) {
      if (matches(compiled, head, path)) return compiled
    }
    return undefined
  }

  /** Finds the route as `find` does and tells for each route that was tried why it was taken or not. */
  explain(head: RequestHead): RouteExplanation<P> {
    const tried: { route: Route<P>; why: string }[] = []
    const nothing = saysNothing(head)
    const { paths } = head
    const path = typeof paths === 'object' ? this.weigh(head, paths).path : paths
    for (const compiled of this.compiled) {
      const { route } = compiled
      const miss = nothing
        ? matchesEverything(compiled)
          ? undefined
          : 'the head says nothing that can be trusted'
        : missOf(compiled, head, path)
      tried.push({ route, why: miss ?? 'matches' })
      if (miss === undefined) return { route, tried }
    }
    tried.push({ route: this.fallback, why: 'no route matches' })
    return { route: this.fallback, tried }
  }
}

/** The name of a route without a name of its own, such as `POST api.example.com/v2/*`. */
export function routeName(match: RouteMatch): string {
  const methods = match.method === undefined ? '' : `${[match.method].flat().join('|').toUpperCase()} `
  const header = Object.entries(match.header ?? {}).map(([name, value]) => ` [${name}${value === true ? '' : `: ${value}`}]`)
  return `${methods}${match.host ?? ''}${match.path ?? '/*'}${header.join('')}`
}

function compile<P>(route: Route<P>, place: number): CompiledRoute<P> {
  const { path, method, host, header } = route.match
  const pattern = path === undefined || matchesEveryPath(path) ? undefined : compilePattern(path)
  const name = host?.toLowerCase()
  const isDomain = name?.startsWith('*.') === true
  return {
    route,
    place,
    path: pattern?.test,
    first: pattern?.first,
    methods: method === undefined ? undefined : [method].flat().map((one) => one.toUpperCase()),
    host: isDomain || name === '*' ? undefined : name,
    domain: isDomain ? name?.slice(1) : undefined,
    header: Object.entries(header ?? {}),
  }
}

function saysNothing(head: RequestHead): boolean {
  return head.ambiguous || head.outcome !== 'complete'
}

function matchesEverything(compiled: CompiledRoute<unknown>): boolean {
  const { path, methods, host, domain, header } = compiled
  return path === undefined && methods === undefined && host === undefined && domain === undefined && header.length === 0
}

function matches(compiled: CompiledRoute<unknown>, head: RequestHead, path: string | undefined): boolean {
  return (
    (compiled.path === undefined || (path !== undefined && compiled.path(path))) &&
    (compiled.methods === undefined || compiled.methods.includes(head.method ?? '')) &&
    (compiled.host === undefined || head.host === compiled.host) &&
    (compiled.domain === undefined || isBelow(head.host, compiled.domain)) &&
    (compiled.header.length === 0 || compiled.header.every(([name, value]) => hasField(head, name, value)))
  )
}

/** The first condition that this head does not meet, for people; `undefined` when it meets all. */
function missOf(compiled: CompiledRoute<unknown>, head: RequestHead, path: string | undefined): string | undefined {
  const { match } = compiled.route
  if (compiled.path !== undefined && (path === undefined || !compiled.path(path))) return `path ${path ?? 'unknown'} is not ${match.path}`
  if (compiled.methods !== undefined && !compiled.methods.includes(head.method ?? '')) {
    return `method ${head.method} is not ${compiled.methods.join(' or ')}`
  }
  if (compiled.host !== undefined && head.host !== compiled.host) return `host ${head.host ?? 'unknown'} is not ${match.host}`
  if (compiled.domain !== undefined && !isBelow(head.host, compiled.domain)) return `host ${head.host ?? 'unknown'} is not ${match.host}`
  const field = compiled.header.find(([name, value]) => !hasField(head, name, value))
  if (field === undefined) return undefined
  const [name, value] = field
  return value === true ? `header ${name} is not there` : `header ${name} is not ${value}`
}

function isBelow(host: string | undefined, domain: string): boolean {
  return host !== undefined && host.length > domain.length && host.endsWith(domain)
}

function hasField(head: RequestHead, name: string, value: string | true): boolean {
  const actual = head.header(name)
  return value === true ? actual !== undefined : actual === value
}
