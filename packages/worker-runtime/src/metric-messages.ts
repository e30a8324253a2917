// Messages about the metrics of an app and its process, and their checks on arrival. Values are in the text form of Prometheus, so that the
// primary can add and print them without building labels.

import { isRecord } from './listen-protocol.ts'

export const metricKinds = ['counter', 'gauge', 'histogram', 'summary'] as const

export type MetricKind = (typeof metricKinds)[number]

/** A trace that a value came from. */
export interface MetricExemplar {
  /** Such as `trace_id="4bf9"`. */
  readonly labels: string
  readonly value: number
  readonly timestampS: number
}

export interface MetricSample {
  /** Behind the name of the metric: empty, `_bucket`, `_sum` or `_count`. */
  readonly suffix: string
  /** Sorted by name, such as `method="GET",status="200"`. */
  readonly labels: string
  /** Of a counter, a histogram and a sum: what has come since the last message. Of a gauge and a quantile: the value; null: it is gone. */
  readonly value: number | null
  readonly exemplar?: MetricExemplar | undefined
}

export interface MetricFamily {
  readonly name: string
  readonly kind: MetricKind
  /** Left out of later messages. */
  readonly help?: string | undefined
  /** prom-client's name for how the gauges of several workers become one. */
  readonly aggregator?: string | undefined
  /** A metric of the process, not of the app. */
  readonly isOfProcess: boolean
  readonly samples: readonly MetricSample[]
}

/** An exemplar for the durations of a route: the row of the route in the shared counters, and the bucket. */
export interface RouteExemplar extends MetricExemplar {
  readonly row: number
  readonly bucket: number
}

const MAX_FAMILIES = 1000
const MAX_SAMPLES = 5000
const MAX_NAME = 200
const MAX_HELP = 1000
const MAX_LABELS = 2000
/** OpenMetrics: label names and values of an exemplar together. */
const MAX_EXEMPLAR_LABELS = 160
const MAX_EXEMPLARS = 1000
const NAME = /^[a-zA-Z_:][\w:]*$/
const SUFFIX = /^(?:_bucket|_sum|_count|)$/
const LABELS = /^(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*"(?:,(?=.)|$))*$/
/** JSON has no such numbers. */
const NOT_FINITE: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
}

/** A family as it is sent and `readFamilies` reads it: samples as lists, so that the message is short. */
export function packFamily({ samples, isOfProcess, ...family }: MetricFamily): MetricFamily {
  const packed = samples.map(({ suffix, labels, value, exemplar }) => {
    const number = value === null || Number.isFinite(value) ? value : String(value)
    return exemplar === undefined ? [suffix, labels, number] : [suffix, labels, number, exemplar]
  })
  return { ...family, own: isOfProcess, samples: packed } as unknown as MetricFamily
}

/** The valid families of a message. Whatever is not valid is left out. */
export function readFamilies(from: unknown): MetricFamily[] {
  if (!Array.isArray(from)) return []
  return from.slice(0, MAX_FAMILIES).flatMap((family: unknown) => readFamily(family) ?? [])
}

export function readRouteExemplars(from: unknown): RouteExemplar[] {
  if (!Array.isArray(from)) return []
  return from.slice(0, MAX_EXEMPLARS).flatMap((one: unknown) => {
    const exemplar = readExemplar(one)
    if (exemplar === undefined || !isRecord(one)) return []
    const { row, bucket } = one
    return Number.isSafeInteger(row) && Number.isSafeInteger(bucket) ? [{ ...exemplar, row: row as number, bucket: bucket as number }] : []
  })
}

function readFamily(from: unknown): MetricFamily | undefined {
  if (!isRecord(from)) return undefined
  const { name, kind, help, aggregator, own, samples } = from
  if (typeof name !== 'string' || name.length > MAX_NAME || !NAME.test(name) || !Array.isArray(samples)) return undefined
  if (!metricKinds.includes(kind as MetricKind)) return undefined
  return {
    name,
    kind: kind as MetricKind,
    help: typeof help === 'string' ? help.slice(0, MAX_HELP) : undefined,
    aggregator: typeof aggregator === 'string' ? aggregator : undefined,
    isOfProcess: own === true,
    samples: samples.slice(0, MAX_SAMPLES).flatMap((sample: unknown) => readSample(sample) ?? []),
  }
}

function readSample(from: unknown): MetricSample | undefined {
  if (!Array.isArray(from)) return undefined
  const [suffix, labels, packed, exemplar] = from as unknown[]
  if (typeof suffix !== 'string' || !SUFFIX.test(suffix) || !areLabels(labels, MAX_LABELS)) return undefined
  const value = typeof packed === 'string' ? NOT_FINITE[packed] : packed
  if (value !== null && typeof value !== 'number') return undefined
  return { suffix, labels, value, exemplar: exemplar === undefined ? undefined : readExemplar(exemplar) }
}

function readExemplar(from: unknown): MetricExemplar | undefined {
  if (!isRecord(from)) return undefined
  const { labels, value, timestampS } = from
  if (!areLabels(labels, MAX_EXEMPLAR_LABELS) || !Number.isFinite(value) || !Number.isFinite(timestampS)) return undefined
  return { labels, value: value as number, timestampS: timestampS as number }
}

function areLabels(text: unknown, most: number): text is string {
  return typeof text === 'string' && text.length <= most && (text === '' || LABELS.test(text))
}
