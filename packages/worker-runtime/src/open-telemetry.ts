// The app's own OpenTelemetry, where it has one. `@opentelemetry/api` keeps its parts under a global symbol once an SDK has registered them. The
// worker runtime never loads the package.

const API = Symbol.for('opentelemetry.js.api.1')

/** An immutable set of values that belongs to an asynchronous call. */
export interface Context {
  getValue(key: symbol): unknown
  setValue(key: symbol, value: unknown): Context
}

export interface Contexts {
  active(): Context
  with<T>(context: Context, act: () => T): T
}

export interface Span {
  /** Is it sampled and not ended? */
  isRecording(): boolean
  end(endMs: number): void
}

export interface SpanOptions {
  /** Milliseconds since 1970. */
  readonly startTime: number
  readonly attributes: Readonly<Record<string, string | number | boolean>>
}

export interface Tracers {
  getTracer(name: string): { startSpan(name: string, options: SpanOptions, parent: Context): Span }
}

/** The parts that the app's SDK has registered. */
export interface OpenTelemetry {
  readonly trace?: Tracers
  readonly context?: Contexts
}

/** Undefined: the app has none, or its SDK has registered nothing so far. */
export function openTelemetry(): OpenTelemetry | undefined {
  return (globalThis as { [API]?: OpenTelemetry })[API]
}
