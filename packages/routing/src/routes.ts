// The route table maps a head to a pool and a policy. The first route that matches wins.

import { type HelloMatch, type HelloTest, helloMatchText, helloTest } from './head/hello-test.ts'
import { type ListenerTest, listenerTest, listenerText } from './head/listener-address.ts'
import type { RequestHead } from './head/request-head.ts'
import { compilePattern, firstSegment, matchesEveryPath, type PathTest } from './path-pattern.ts'
import type { Policy } from './policy.ts'

/**
 * The conditions of a route. A condition that is left out always holds. A ClientHello meets none on paths, methods, hosts and fields: a route
 * that has such a condition and one on the hello is for requests inside TLS, in a worker.
 */
export interface RouteMatch extends HelloMatch {
  /** A pattern, see `compilePattern`. Case is ignored. */
  readonly path?: string
  /** One of these methods exactly: GET does not include HEAD. */
  readonly method?: string | readonly string[]
  /** A host without port, or `*.example.com` for every host below `example.com`. */
  readonly host?: string
  /** Fields that must be present (`true`) or have exactly this value. */
  readonly header?: Readonly<Record<string, string | true>>
  /** The listener over which the connection came: a port, `host:port` or the path of a unix socket. */
  readonly listener?: number | string
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
  /** For people, such as `POST api.example.com/v2/*`. */
  readonly name: string
}

/** Why a head takes its route. `tried` ends with that route. */
export interface RouteExplanation<P = Policy> {
  readonly route: Route<P>
  readonly tried: readonly { readonly route: Route<P>; readonly why: string }[]
}

/** The route of a head whose path has several readings. */
interface ReadingsMatch<P> {
  readonly route: Route<P>
  /** The reading that matched the route; `undefined` with too many readings. */
  readonly path: string | undefined
  /** The readings belong to different pools. */
  readonly hasConflict: boolean
}

interface CompiledRoute<P> {
  readonly route: Route<P>
  /** Its place in the table. */
  readonly index: number
  readonly path: PathTest | undefined
  /** The first segment that all matching paths share; `undefined`: they share none. */
  readonly first: string | undefined
  readonly methods: readonly string[] | undefined
  readonly host: string | undefined
  readonly domain: string | undefined
  readonly header: readonly (readonly [string, string | true])[]
  readonly listener: ListenerTest | undefined
  readonly hello: HelloTest | undefined
}

export class RouteTable<P = Policy> {
  readonly routes: readonly Route<P>[]
  readonly fallback: Route<P>
  /** Must a head know its listener? */
  readonly usesListeners: boolean
  /** Must the head of a request inside TLS know the hello of its connection? */
  readonly usesHellos: boolean
  private readonly compiled: readonly CompiledRoute<P>[]
  /** The routes that can match a path with this first segment, in order. */
  private readonly byFirst: ReadonlyMap<string, readonly CompiledRoute<P>[]>
  /** The routes that can match a path with any other first segment, or a head without a path. */
  private readonly anyFirst: readonly CompiledRoute<P>[]
  /** For heads that can't be trusted: the routes that depend on nothing in the head. */
  private readonly headless: readonly CompiledRoute<P>[]
  /** Can two heads from one listener belong to different pools? */
  private readonly hasPools: boolean

  /** `fallback` is used when no route matches; its own conditions are ignored. Throws TypeError for a faulty path pattern. */
  constructor(routes: readonly Route<P>[], fallback: Route<P>) {
    this.routes = routes
    this.fallback = fallback
    this.compiled = routes.map(compile)
    const firsts = new Set(this.compiled.map(({ first }) => first).filter((first) => first !== undefined))
    const mayStart = (segment?: string) => this.compiled.filter(({ first }) => first === undefined || first === segment)
    this.byFirst = new Map([...firsts].map((first) => [first, mayStart(first)]))
    this.anyFirst = mayStart()
    this.usesListeners = this.compiled.some(({ listener }) => listener !== undefined)
    this.usesHellos = this.compiled.some(({ hello }) => hello !== undefined)
    this.headless = this.compiled.filter(isHeadless)
    this.hasPools = this.headless.length < routes.length && routes.some(({ pool }) => pool !== fallback.pool)
  }

  /**
   * Finds the route of a head. A head that can't be trusted (ambiguous, or routed by address alone) gets the first route whose only condition is its
   * listener, or that has none, or else the fallback.
   */
  find(head: RequestHead): Route<P> {
    // The path is not read for nothing.
    if (this.compiled.length === 0) return this.fallback
    if (isUntrusted(head)) return this.headless.find((compiled) => isFrom(compiled, head))?.route ?? this.fallback
    const { paths } = head
    if (typeof paths === 'object') return this.matchReadings(head, paths).route
    return this.match(head, paths)?.route ?? this.fallback
  }

  /**
   * Must a head be refused because an app can read it as a request of another pool? Either programs disagree about its host, or the readings of
   * its path belong to different pools. With a single pool nothing is refused. An ambiguous head that is not parsed yet passes: the worker's
   * parser decides first.
   */
  refuses(head: RequestHead): boolean {
    if (!this.hasPools || head.outcome !== 'complete' || head.protocol === 'tls') return false
    if (head.ambiguous) return head.isParsed
    if (!head.namesOneHost) return true
    const { paths } = head
    return typeof paths === 'object' && this.matchReadings(head, paths).hasConflict
  }

  /** The first route that matches one of the readings. */
  private matchReadings(head: RequestHead, paths: readonly string[]): ReadingsMatch<P> {
    let first: CompiledRoute<P> | undefined
    let path = paths[0]
    let pool: string | undefined
    let hasConflict = path === undefined
    for (const reading of paths) {
      const compiled = this.match(head, reading)
      if (compiled === undefined) continue
      if (first === undefined || compiled.index < first.index) {
        first = compiled
        path = reading
      }
      // A catch-all route does not conflict with a more specific one.
      if (isHeadless(compiled)) continue
      if (pool !== undefined && pool !== compiled.route.pool) hasConflict = true
      pool = compiled.route.pool
    }
    return { route: first?.route ?? this.fallback, path, hasConflict }
  }

  private match(head: RequestHead, path: string | undefined): CompiledRoute<P> | undefined {
    const likely = (path === undefined ? undefined : this.byFirst.get(firstSegment(path))) ?? this.anyFirst
    for (const compiled of likely) {
      if (matches(compiled, head, path)) return compiled
    }
    return undefined
  }

  /** Finds the route as `find` does, and says of each tried route why it matches or not. */
  explain(head: RequestHead): RouteExplanation<P> {
    const tried: { route: Route<P>; why: string }[] = []
    const untrusted = isUntrusted(head)
    const { paths } = head
    const path = typeof paths === 'object' ? this.matchReadings(head, paths).path : paths
    for (const compiled of this.compiled) {
      const { route } = compiled
      const miss = untrusted && !isHeadless(compiled) ? 'the head cannot be trusted' : missOf(compiled, head, path)
      tried.push({ route, why: miss ?? 'matches' })
      if (miss === undefined) return { route, tried }
    }
    tried.push({ route: this.fallback, why: 'no route matches' })
    return { route: this.fallback, tried }
  }
}

/** The default name of a route, such as `POST api.example.com/v2/*`. */
export function routeName(match: RouteMatch): string {
  const methods = match.method === undefined ? '' : `${[match.method].flat().join('|').toUpperCase()} `
  const header = Object.entries(match.header ?? {}).map(([name, value]) => ` [${name}${value === true ? '' : `: ${value}`}]`)
  const listener = match.listener === undefined ? '' : ` on ${match.listener}`
  return `${methods}${match.host ?? ''}${match.path ?? '/*'}${header.join('')}${helloMatchText(match)}${listener}`
}

function compile<P>(route: Route<P>, index: number): CompiledRoute<P> {
  const { path, method, host, header, listener } = route.match
  const pattern = path === undefined || matchesEveryPath(path) ? undefined : compilePattern(path)
  const name = host?.toLowerCase()
  const isDomain = name?.startsWith('*.') === true
  return {
    route,
    index,
    path: pattern?.test,
    first: pattern?.first,
    methods: method === undefined ? undefined : [method].flat().map((one) => one.toUpperCase()),
    host: isDomain || name === '*' ? undefined : name,
    domain: isDomain ? name?.slice(1) : undefined,
    header: Object.entries(header ?? {}),
    listener: listener === undefined ? undefined : listenerTest(listener),
    hello: helloTest(route.match),
  }
}

function isUntrusted(head: RequestHead): boolean {
  return head.ambiguous || head.outcome !== 'complete'
}

/** Does the route depend on nothing in the head? */
function isHeadless(compiled: CompiledRoute<unknown>): boolean {
  const { path, methods, host, domain, header, hello } = compiled
  return (
    path === undefined && methods === undefined && host === undefined && domain === undefined && header.length === 0 && hello === undefined
  )
}

/** Did the connection come over the listener that the route names? */
function isFrom(compiled: CompiledRoute<unknown>, head: RequestHead): boolean {
  return compiled.listener === undefined || compiled.listener(head.listener)
}

function matches(compiled: CompiledRoute<unknown>, head: RequestHead, path: string | undefined): boolean {
  return (
    isFrom(compiled, head) &&
    (compiled.path === undefined || (path !== undefined && compiled.path(path))) &&
    (compiled.methods === undefined || compiled.methods.includes(head.method ?? '')) &&
    (compiled.host === undefined || head.host === compiled.host) &&
    (compiled.domain === undefined || isBelow(head.host, compiled.domain)) &&
    (compiled.header.length === 0 || compiled.header.every(([name, value]) => hasField(head, name, value))) &&
    (compiled.hello === undefined || compiled.hello(head.hello) === undefined)
  )
}

/** The first condition that this head does not meet, for people; `undefined` if it meets all. */
function missOf(compiled: CompiledRoute<unknown>, head: RequestHead, path: string | undefined): string | undefined {
  const { match } = compiled.route
  if (!isFrom(compiled, head)) return `listener ${listenerText(head.listener)} is not ${match.listener}`
  if (compiled.path !== undefined && (path === undefined || !compiled.path(path))) return `path ${path ?? 'unknown'} is not ${match.path}`
  if (compiled.methods !== undefined && !compiled.methods.includes(head.method ?? '')) {
    return `method ${head.method ?? 'unknown'} is not ${compiled.methods.join(' or ')}`
  }
  if (compiled.host !== undefined && head.host !== compiled.host) return `host ${head.host ?? 'unknown'} is not ${match.host}`
  if (compiled.domain !== undefined && !isBelow(head.host, compiled.domain)) return `host ${head.host ?? 'unknown'} is not ${match.host}`
  const field = compiled.header.find(([name, value]) => !hasField(head, name, value))
  if (field === undefined) return compiled.hello?.(head.hello)
  const [name, value] = field
  return value === true ? `header ${name} is missing` : `header ${name} is not ${value}`
}

function isBelow(host: string | undefined, domain: string): boolean {
  return host !== undefined && host.length > domain.length && host.endsWith(domain)
}

function hasField(head: RequestHead, name: string, value: string | true): boolean {
  const actual = head.header(name)
  return value === true ? actual !== undefined : actual === value
}
