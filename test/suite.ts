// The suite of every test: uvu's, with what uvu leaves out. Every test and hook has a time limit. A failing hook fails the file. An
// unhandled rejection fails the test that runs. A file must end by itself, and whatever it leaves behind is named.

import { suite as uvuSuite } from 'uvu'
import { patience } from './support/patience.ts'

export * as assert from 'uvu/assert'

type Body = () => unknown

export interface Bound {
  /** How long one test or hook may take on a quiet machine. Default 10,000. */
  readonly timeoutMs?: number
}

export interface TestSuite {
  (name: string, body: Body, bound?: Bound): void
  /** Runs only these tests; the others count as skipped, which `npm test` does not accept. */
  only(name: string, body: Body, bound?: Bound): void
  before: Hook
  after: Hook
  /** Must be called once, last: without it the file fails. */
  run(): void
}

interface Hook {
  (body: Body, bound?: Bound): void
  each(body: Body, bound?: Bound): void
}

const DEFAULT_TIMEOUT_MS = 10_000
const EXIT_GRACE_MS = Number(process.env.EXIT_GRACE_MS ?? patience(2_000))

const faults: string[] = []
const cleanups: Body[] = []
const waitingForRun = new Set<string>()
let running = 0
let current: { name: string; fail: (error: unknown) => void } | undefined
const ownResources = countResources()

/** Runs `body` after the running suite and its `after` hooks; last registered, first run. */
export function atSuiteEnd(body: Body): void {
  cleanups.push(body)
}

/** A named group of tests, run in order by `.run()`. There is no `skip`: a test that does not apply on a machine reports that itself. */
export function suite(name: string, options: Bound = {}): TestSuite {
  const inner = uvuSuite(name)
  const suiteTimeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
  const before: Body[] = []
  const after: Body[] = []
  let brokenBy: Error | undefined
  waitingForRun.add(name)

  const bounded = (title: string, body: Body, bound?: Bound) => () => runBounded(title, body, patience(bound?.timeoutMs ?? suiteTimeoutMs))
  const add = (register: (title: string, handler: () => Promise<void>) => void, title: string, body: Body, bound?: Bound) =>
    register(title, async () => {
      if (brokenBy) throw brokenBy
      await bounded(title, body, bound)().catch((error) => {
        process.exitCode = 1
        failed = true
        throw error
      })
    })

  const test = ((title, body, bound) => add(inner, title, body, bound)) as TestSuite
  test.only = (title, body, bound) => add(inner.only, title, body, bound)
  test.before = Object.assign((body: Body, bound?: Bound) => void before.push(bounded('before', body, bound)), {
    each: (body: Body, bound?: Bound) => inner.before.each(bounded('before each', body, bound)),
  })
  test.after = Object.assign((body: Body, bound?: Bound) => void after.push(bounded('after', body, bound)), {
    each: (body: Body, bound?: Bound) => inner.after.each(() => noteFault(name, bounded('after each', body, bound))),
  })

  test.run = () => {
    waitingForRun.delete(name)
    running += 1
    // uvu forgets an error thrown by a hook, so hooks never throw into it.
    inner.before(async () => {
      for (const hook of before) {
        try {
          await hook()
        } catch (error) {
          brokenBy = asError(error)
          faults.push(`${name}, before: ${brokenBy.message}`)
          break
        }
      }
    })
    inner.after(async () => {
      for (const hook of after) await noteFault(name, hook)
      for (const cleanup of cleanups.splice(0).reverse()) await noteFault(name, bounded('clean-up', cleanup))
      running -= 1
      if (running === 0) watchForExit()
    })
    inner.run()
  }
  return test
}

let failed = false

async function runBounded(name: string, body: Body, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      current = { name, fail: reject }
      timer = setTimeout(() => reject(new Error(`"${name}" took longer than its bound of ${timeoutMs} ms`)), timeoutMs)
      Promise.resolve()
        .then(body)
        .then(() => resolve(), reject)
    })
  } catch (error) {
    throw asError(error)
  } finally {
    clearTimeout(timer)
    current = undefined
  }
}

async function noteFault(suiteName: string, body: Body): Promise<void> {
  try {
    await body()
  } catch (error) {
    faults.push(`${suiteName}: ${asError(error).stack}`)
  }
}

/** uvu can only print an Error. */
function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`thrown: ${String(thrown)}`)
}

function countResources(): Map<string, number> {
  // Named first, so that the handles behind them exist when they are counted.
  void process.stdout
  void process.stderr
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

/** The timer does not keep the process alive, so when it fires, another handle does. */
function watchForExit(): void {
  setTimeout(() => {
    if (running > 0) return
    const left: string[] = []
    for (const [kind, count] of countResources()) {
      const more = count - (ownResources.get(kind) ?? 0)
      if (more > 0) left.push(`${kind} ×${more}`)
    }
    faults.push(`left behind: ${left.join(', ') || 'something that keeps the process alive'}`)
    process.exit(1)
  }, EXIT_GRACE_MS).unref()
}

function onStray(kind: string, error: unknown): void {
  faults.push(`${kind}${current ? ` in "${current.name}"` : ''}: ${asError(error).stack}`)
  current?.fail(error)
}

process.on('unhandledRejection', (reason) => onStray('unhandled rejection', reason))
process.on('uncaughtException', (error) => onStray('uncaught exception', error))
process.on('exit', () => {
  for (const name of waitingForRun) faults.push(`${name}: .run() was never called`)
  for (const fault of faults) console.error(`  FAULT  ${fault}`)
  if (faults.length > 0 || failed) process.exitCode = 1
})
