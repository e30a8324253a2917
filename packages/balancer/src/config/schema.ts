// The shape of a config, as valibot schemas: every fault at once, each with its path. What one part says of another is in checks.ts.

import { validateHeaderName, validateHeaderValue } from 'node:http'
import { cookieNameForm, patternFault, trustedProxyFault } from '@switchyard/routing'
import * as v from 'valibot'
import { appStopSignals } from '../settings.ts'
import { didYouMean, type Fault, formatPath, show } from './faults.ts'
import { bytesOf } from './sizes.ts'

const maxTimerMs = 2 ** 31 - 1

/** Says in one phrase what is expected, whatever rule of the schema fails. */
function expected<T extends v.GenericSchema>(schema: T, phrase: string): T {
  return v.config(schema, { message: phrase, abortPipeEarly: true })
}

/** An object whose every key is optional; a key that it does not know is a fault. */
function shape<const E extends v.ObjectEntries>(entries: E, phrase = 'an object') {
  const object = v.pipe(
    v.looseObject(entries, phrase),
    v.rawCheck(({ dataset, addIssue }) => {
      const input: unknown = dataset.value
      if (typeof input !== 'object' || input === null) return
      for (const [key, value] of Object.entries(input)) {
        if (Object.hasOwn(entries, key)) continue
        addIssue({
          message: `unknown option${didYouMean(key, Object.keys(entries))}`,
          path: [{ type: 'object', origin: 'key', input: input as Record<string, unknown>, key, value }],
        })
      }
    }),
  )
  return v.lazy((input) => (Array.isArray(input) ? v.never(phrase) : object))
}

function whole(least: number, most: number, phrase: string) {
  return v.optional(expected(v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most)), phrase))
}

const text = expected(v.pipe(v.string(), v.minLength(1)), 'a text')
const texts = v.optional(v.array(text, 'a list of texts'))
const positive = (phrase = 'a positive integer') => whole(1, Number.MAX_SAFE_INTEGER, phrase)
const countFromZero = whole(0, Number.MAX_SAFE_INTEGER, 'an integer from 0')
const milliseconds = (least: 0 | 1) => whole(least, maxTimerMs, `milliseconds from ${least} to ${maxTimerMs}`)

const port = whole(0, 65535, 'a port from 0 to 65535')
const flag = v.optional(v.boolean('true or false'))
const listenEntries = { host: v.optional(text), port, path: v.optional(text), ipv6Only: flag, backlog: positive(), peek: flag }
const listenOptions = shape(listenEntries)
const listenOne = v.lazy((input) =>
  typeof input === 'object' && input !== null && !Array.isArray(input)
    ? listenOptions
    : expected(
        v.union([v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65535)), v.string()]),
        "a port from 0 to 65535, 'host:port', the path of a socket or an object",
      ),
)
const listen = v.lazy((input) => (Array.isArray(input) ? v.pipe(v.array(listenOne), v.nonEmpty('at least one address')) : listenOne))

const proxy = v.pipe(
  v.string('a text'),
  v.check((input) => trustedProxyFault(input) === undefined, "an address, a CIDR such as '10.0.0.0/8', or 'unix'"),
)

const policyPhrase = "a policy, a function, 'least-busy', 'least-in-flight', 'round-robin', { least-busy: … } or { sticky: … }"
const policyName = v.picklist(['least-busy', 'least-in-flight', 'round-robin'], policyPhrase)
const keyPhrase = "'ticket', 'client-address', or one of { ticket }, { learn }, { cookie }, { header }, { query }, { path-segment }"
const cookieName = expected(v.pipe(v.string(), v.regex(cookieNameForm)), "the name of a cookie, such as 'connect.sid'")
const ticketOptions = shape({
  cookie: v.optional(text),
  query: v.optional(text),
  maxAgeMs: whole(1, Number.MAX_SAFE_INTEGER, 'a positive number of milliseconds'),
  sameSite: v.optional(v.picklist(['Lax', 'Strict', 'None'], "'Lax', 'Strict' or 'None'")),
  secure: v.optional(v.union([v.boolean(), v.literal('auto')], "true, false or 'auto'")),
  path: v.optional(text),
})
const keyOptions = v.pipe(
  shape({
    ticket: v.optional(ticketOptions),
    learn: v.optional(cookieName),
    cookie: v.optional(text),
    header: v.optional(text),
    query: v.optional(text),
    'path-segment': countFromZero,
    'client-address': v.optional(shape({ trustedProxies: v.optional(v.array(proxy, 'a list of texts')), header: v.optional(text) })),
  }),
  v.check((input) => Object.keys(input).length === 1, keyPhrase),
)
const key = v.lazy((input) =>
  typeof input === 'object' && input !== null ? keyOptions : v.picklist(['ticket', 'client-address'], keyPhrase),
)
const namedPolicy: v.GenericSchema = v.lazy((input) => {
  if (typeof input !== 'object' || input === null) return policyName
  return 'least-busy' in input ? leastBusyPolicy : stickyPolicy
})
const leastBusyPolicy = shape({
  'least-busy': v.pipe(
    shape({
      latency: flag,
      hotAt: v.optional(expected(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 'a number from 0 to 1')),
    }),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return
      const { latency, hotAt } = dataset.value as { latency?: unknown; hotAt?: unknown }
      if (hotAt === undefined || latency === true) return
      const path = { type: 'object', origin: 'value', input: dataset.value as Record<string, unknown>, key: 'hotAt', value: hotAt } as const
      addIssue({ message: 'only with latency: true', path: [path] })
    }),
  ),
})
const stickyPolicy = shape({
  sticky: v.pipe(
    shape({
      by: key,
      seed: v.optional(text),
      otherwise: v.optional(namedPolicy),
      breakAt: v.optional(expected(v.pipe(v.number(), v.finite(), v.minValue(1)), 'a number from 1')),
      breakFloor: v.optional(expected(v.pipe(v.number(), v.finite(), v.minValue(0)), 'a number from 0')),
    }),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return
      const { by, seed } = dataset.value as { by: unknown; seed?: unknown }
      const isHashed = by !== 'ticket' && !(typeof by === 'object' && by !== null && ('ticket' in by || 'learn' in by))
      if (isHashed || seed === undefined) return
      const path = { type: 'object', origin: 'value', input: dataset.value as Record<string, unknown>, key: 'seed', value: seed } as const
      addIssue({ message: 'only keys that are hashed have one, a ticket or a learned cookie has not', path: [path] })
    }),
  ),
})
/** A policy made by code is taken as it is: its `pick` is all that can be told from outside. */
const codedPolicy = v.custom(
  (input) =>
    typeof input === 'function' || (typeof input === 'object' && input !== null && 'pick' in input && typeof input.pick === 'function'),
  policyPhrase,
)
const policy = v.optional(
  v.lazy((input) =>
    typeof input === 'function' || (typeof input === 'object' && input !== null && 'pick' in input) ? codedPolicy : namedPolicy,
  ),
)

const pathPattern = v.pipe(
  v.string('a path pattern'),
  v.rawCheck(({ dataset, addIssue }) => {
    const fault = typeof dataset.value === 'string' ? patternFault(dataset.value) : undefined
    if (fault !== undefined) addIssue({ message: `${fault}, got ${show(dataset.value)}` })
  }),
)
const method = expected(v.pipe(v.string(), v.regex(/^[!#$%&'*+.^_`|~\w-]+$/)), "a method such as 'GET'")
const routeEntries = {
  path: v.optional(pathPattern),
  method: v.optional(v.lazy((input) => (Array.isArray(input) ? v.pipe(v.array(method), v.nonEmpty('at least one method')) : method))),
  host: v.optional(text),
  header: v.optional(
    v.record(v.string(), v.union([v.string(), v.literal(true)], 'a text, or true for any value'), 'an object of header names and values'),
  ),
  pool: v.optional(text),
  policy,
  name: v.optional(text),
}

const share = expected(v.pipe(v.number(), v.gtValue(0), v.maxValue(1)), 'a share above 0, at most 1')

const statusPhrase = 'a status from 100 to 599, or the first and the last: [200, 399]'
const statusCode = v.pipe(v.number(), v.integer(), v.minValue(100), v.maxValue(599))
const status = v.optional(
  expected(
    v.union([
      statusCode,
      v.pipe(
        v.strictTuple([statusCode, statusCode]),
        v.check(([from, to]) => from <= to),
      ),
    ]),
    statusPhrase,
  ),
)
const headerFields = v.record(
  v.pipe(v.string(), v.check(passes(validateHeaderName), 'the name of a header field')),
  v.pipe(
    v.string('a text'),
    v.check(
      passes((text: string) => validateHeaderValue('x', text)),
      'a text that a header field may have',
    ),
  ),
  'an object of header names and texts',
)
const requestPath = expected(v.pipe(v.string(), v.regex(/^\/[\x21-\x7e]*$/)), 'a path such as /healthz, percent-encoded')
const probeEntries = {
  path: requestPath,
  status,
  intervalMs: milliseconds(1),
  timeoutMs: milliseconds(1),
  headers: v.optional(headerFields),
}
const healthEntries = { ...probeEntries, failures: positive() }

/** A path alone stands for a probe. */
function probe(entries: typeof probeEntries) {
  const full = shape(entries, 'a path or an object')
  return v.optional(v.lazy((input) => (typeof input === 'string' ? requestPath : full)))
}

function passes(validate: (text: string) => void): (text: string) => boolean {
  return (text) => {
    try {
      validate(text)
      return true
    } catch {
      return false
    }
  }
}

/** Less is a slip of the pen: no worker starts with it. */
const leastSize = 2 ** 20
const size = v.optional(
  v.custom((input) => (bytesOf(input) ?? 0) >= leastSize, `bytes from ${leastSize}, or a text such as '512M' or '1.5G'`),
)

/** The last number means nobody. */
const account = (phrase: string) =>
  v.optional(
    expected(
      v.union([v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32 - 2)), v.pipe(v.string(), v.minLength(1))]),
      phrase,
    ),
  )

const outlierEntries = {
  intervalMs: milliseconds(1),
  minRequests: positive(),
  errorShare: v.optional(share),
  latencyFactor: v.optional(expected(v.pipe(v.number(), v.gtValue(1)), 'a number above 1')),
  latencyFloorMs: milliseconds(0),
  baseEjectionMs: milliseconds(1),
  maxEjectionMs: milliseconds(1),
  maxEjectedShare: v.optional(share),
  panicThreshold: v.optional(expected(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 'a share from 0 to 1')),
}
const outlierOptions = shape(outlierEntries, 'true, false or an object')

const countOrMax = v.optional(
  expected(v.union([v.pipe(v.number(), v.integer(), v.minValue(1)), v.literal('max')]), "a positive integer or 'max'"),
)
const autoscaleEntries = {
  min: positive(),
  max: countOrMax,
  target: v.optional(share),
  upAfterMs: milliseconds(1),
  downAfterMs: milliseconds(1),
}
const reloadEntries = { maxSurge: positive(), settleMs: milliseconds(0) }
const memoryEntries = { soft: size, hard: size }

const weight = expected(v.pipe(v.number(), v.finite(), v.gtValue(0)), 'a number above 0')

const poolEntries = {
  workers: countOrMax,
  app: v.optional(text),
  args: v.optional(v.array(v.string('a text'), 'a list of texts')),
  execArgv: texts,
  cwd: v.optional(text),
  env: v.optional(v.record(v.string(), v.optional(v.string('a text')), 'an object of names and texts')),
  slotVariable: v.optional(
    expected(v.union([v.pipe(v.string(), v.regex(/^[A-Za-z_]\w*$/)), v.literal(false)]), 'the name of an environment variable or false'),
  ),
  onOutage: v.optional(v.picklist(['retry', 'not-live', 'exit'], "'retry', 'not-live' or 'exit'")),
  rest: v.optional(v.picklist(['auto', 'always', 'never'], "'auto', 'always' or 'never'")),
  concurrency: positive(),
  weights: v.optional(v.array(weight, 'a list of weights')),
  slowStart: v.optional(
    shape({
      windowMs: expected(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(maxTimerMs)), `milliseconds from 1 to ${maxTimerMs}`),
      from: v.optional(expected(v.pipe(v.number(), v.gtValue(0), v.maxValue(1)), 'a part above 0, at most 1')),
      aggression: v.optional(expected(v.pipe(v.number(), v.finite(), v.gtValue(0)), 'a number above 0')),
    }),
  ),
  queue: v.optional(shape({ limit: countFromZero, timeoutMs: milliseconds(0) })),
  reload: v.optional(shape(reloadEntries)),
  maxMemory: v.optional(shape(memoryEntries)),
  maxRequests: positive(),
  maxAgeMs: milliseconds(1),
  nice: whole(-20, 19, 'an integer from -20 to 19'),
  uid: account('a number or the name of a user'),
  gid: account('a number or the name of a group'),
  readyWhen: probe(probeEntries),
  healthWhen: probe(healthEntries),
  outliers: v.optional(v.lazy((input) => (typeof input === 'boolean' ? v.boolean() : outlierOptions))),
  autoscale: v.optional(shape(autoscaleEntries)),
  maxConnectionAgeMs: milliseconds(1),
  drainSpreadMs: milliseconds(0),
  drainReturnMs: milliseconds(0),
  stopSignal: v.optional(v.picklist(appStopSignals, "'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT' or 'SIGUSR2'")),
  stopTimeoutMs: milliseconds(0),
}

/** Letters first: keys that look like numbers would change places in an object, and the first pool is the default one. */
const poolName = expected(v.pipe(v.string(), v.regex(/^[A-Za-z][\w-]{0,62}$/)), 'a pool name: a letter, then letters, digits, - or _')

/** It stands in the path of the control socket. */
const ownName = expected(v.pipe(v.string(), v.regex(/^\w[\w.-]{0,62}$/)), 'a name: letters, digits, ., - or _, at most 63')

const secretPhrase = 'a text of at least 16 characters'
const secret = expected(v.pipe(v.string(), v.minLength(16)), secretPhrase)
const secrets = v.lazy((input) =>
  Array.isArray(input)
    ? expected(v.pipe(v.array(secret), v.minLength(1), v.maxLength(2)), 'one or two secrets: [current, previous]')
    : secret,
)

/** Ten years: longer is a mistake. */
const maxAgeMs = 315_360_000_000
/** What is larger does not fit a message between processes, however it is written. */
const maxSessionBytes = 131_072

const pemEntries = { ca: v.optional(text), cert: v.optional(text), key: v.optional(text) }
const nearCacheEntries = { maxEntries: positive(), maxAgeMs: milliseconds(1) }
const nearCacheOptions = shape(nearCacheEntries, 'false or an object')
const breakerEntries = { failures: positive(), openMs: milliseconds(1) }
const sessionCookieEntries = {
  name: v.optional(cookieName),
  path: v.optional(expected(v.pipe(v.string(), v.regex(/^\/[\x21-\x3a\x3c-\x7e]*$/)), 'a path such as /')),
  domain: v.optional(expected(v.pipe(v.string(), v.regex(/^\.?[\w-]+(\.[\w-]+)*$/)), 'a domain such as example.com')),
  sameSite: v.optional(v.picklist(['lax', 'strict', 'none'], "'lax', 'strict' or 'none'")),
  secure: v.optional(v.union([v.boolean(), v.literal('auto')], "true, false or 'auto'")),
}
/** What `sessions` may have; docs/configuration.md tells each (tested). */
export const sessionEntries = {
  url: v.optional(expected(v.union([v.pipe(v.string(), v.minLength(1)), v.literal(false)]), 'the address of Redis or false')),
  urlFrom: v.optional(expected(v.pipe(v.string(), v.regex(/^[A-Za-z_]\w*$/)), 'the name of an environment variable')),
  secret: v.optional(secrets),
  tls: v.optional(shape(pemEntries)),
  keyPrefix: v.optional(expected(v.pipe(v.string(), v.regex(/^[\w.:-]{1,64}$/)), 'a prefix: letters, digits, ., :, - or _, at most 64')),
  ttlMs: whole(1, maxAgeMs, `milliseconds from 1 to ${maxAgeMs}`),
  tombstoneMs: milliseconds(1),
  maxValueBytes: whole(1, maxSessionBytes, `bytes from 1 to ${maxSessionBytes}`),
  maxSessions: positive(),
  maxBytes: size,
  commandTimeoutMs: milliseconds(1),
  updateAttempts: positive(),
  onOutage: v.optional(v.picklist(['fail', 'read-cached', 'anonymous'], "'fail', 'read-cached' or 'anonymous'")),
  nearCache: v.optional(v.lazy((input) => (input === false ? v.literal(false) : nearCacheOptions))),
  breaker: v.optional(shape(breakerEntries)),
  cookie: v.optional(shape(sessionCookieEntries)),
}

/** Every key that a config may have; docs/configuration.md tells each (tested). */
export const configEntries = {
  app: v.optional(text),
  listen: v.optional(listen),
  unbalanced: v.optional(v.array(listenOne, 'a list of addresses')),
  pools: v.optional(
    v.pipe(
      v.record(poolName, shape(poolEntries), 'an object of pools'),
      v.check((pools) => Object.keys(pools).length > 0, 'at least one pool'),
    ),
  ),
  routes: v.optional(v.array(shape(routeEntries), 'a list of routes')),
  policy,
  admin: v.optional(
    expected(
      v.union([v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65535)), v.string(), v.literal(false)]),
      "a port, 'host:port' or false",
    ),
  ),
  control: v.optional(expected(v.union([v.pipe(v.string(), v.minLength(1)), v.literal(false)]), 'the path of a socket or false')),
  name: v.optional(ownName),
  secret: v.optional(secrets),
  sessions: v.optional(shape(sessionEntries)),
  trustedProxies: texts,
  maxHeadBytes: whole(64, 1_048_576, 'bytes from 64 to 1048576'),
  headTimeoutMs: milliseconds(1),
  maxUnrouted: positive(),
  maxUnroutedPerAddress: positive(),
  descriptorShare: v.optional(expected(v.pipe(v.number(), v.gtValue(0), v.maxValue(1)), 'a share above 0, at most 1')),
  lingerTimeoutMs: milliseconds(0),
  maxResting: positive(),
  maxLearned: positive(),
  learnedTtlMs: milliseconds(1),
  forwardTimeoutMs: milliseconds(0),
  startTimeoutMs: milliseconds(1),
  drainTimeoutMs: milliseconds(0),
  restartDelayMs: milliseconds(0),
  maxRestartDelayMs: milliseconds(0),
  maxRestarts: countFromZero,
  restartWindowMs: milliseconds(1),
  hangTimeoutMs: milliseconds(0),
  maxListeners: positive(),
  listenerGraceMs: milliseconds(0),
  shutdownDelayMs: milliseconds(0),
}

/** The parts inside, by the path that docs and faults use. */
export const nestedEntries = { pools: poolEntries, routes: routeEntries, listen: listenEntries }

/** And the parts inside a pool. */
export const poolParts = {
  reload: reloadEntries,
  maxMemory: memoryEntries,
  readyWhen: probeEntries,
  healthWhen: healthEntries,
  outliers: outlierEntries,
  autoscale: autoscaleEntries,
}

/** And those inside `sessions`. */
export const sessionParts = { tls: pemEntries, nearCache: nearCacheEntries, breaker: breakerEntries, cookie: sessionCookieEntries }

const config = shape(configEntries, 'an object (is there an `export default`?)')

/** Every fault in the shape of a config; none: it may be read as `BalancerConfig`. */
export function shapeFaults(input: unknown): Fault[] {
  const { issues = [] } = v.safeParse(config, input)
  return issues.map((issue) => {
    const path = formatPath((issue.path ?? []).map((item: { key: unknown }) => item.key))
    return { path, message: messageOf(issue, path) }
  })
}

function messageOf(issue: v.BaseIssue<unknown>, path: string): string {
  if (issue.type === 'raw_check') return issue.message
  if (issue.kind === 'schema' && issue.input === undefined && path !== '') return 'is missing'
  return `expected ${issue.message}, got ${isSecret(path) ? hide(issue.input) : show(issue.input)}`
}

/** Secrets and environments must not end up in a log because of a fault in them. */
function isSecret(path: string): boolean {
  return /^(sessions\.)?(secret|url)/.test(path) || /\.(env|headers)\b/.test(path)
}

function hide(value: unknown): string {
  return typeof value === 'string' ? `one of ${value.length}` : `a ${Array.isArray(value) ? 'list' : typeof value}`
}
