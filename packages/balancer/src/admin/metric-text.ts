// Writes metrics in the text format of Prometheus or in OpenMetrics, in many short steps: between two steps the primary accepts connections.

import { setImmediate } from 'node:timers/promises'
import type { MetricExemplar } from '@switchyard/worker-runtime'

/** One line of a metric. */
export interface TextSample {
  /** Behind the name: empty, `_bucket`, `_sum` or `_count`. */
  readonly suffix: string
  /** Such as `pool="web",slot="0"`. */
  readonly labels: string
  readonly value: number
  readonly exemplar?: MetricExemplar | undefined
}

export interface TextFamily {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly samples: Iterable<TextSample>
}

export type MetricFormat = 'prometheus' | 'openmetrics'

export const contentTypes: Readonly<Record<MetricFormat, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

/** How long one step may take. */
const STEP_MS = 0.3
/** The clock is read once for so many lines. */
const LINES = 32

/** The longest that the writer has kept the event loop, for tests. */
export interface Steps {
  longestMs: number
}

/** Writes the families, in order. Families of one name must be one family. */
export async function writeMetrics(families: Iterable<TextFamily>, format: MetricFormat, steps?: Steps): Promise<Buffer> {
  const isOpen = format === 'openmetrics'
  // Bytes outside of the heap: the text would survive several collections, each a pause.
  const parts: Buffer[] = []
  let text = ''
  let lines = 0
  let startMs = performance.now()
  const pause = async () => {
    parts.push(Buffer.from(text))
    text = ''
    if (steps !== undefined) steps.longestMs = Math.max(steps.longestMs, performance.now() - startMs)
    await setImmediate()
    startMs = performance.now()
  }
  for (const { name, help, type, samples } of families) {
    // OpenMetrics: the name of a counter has no suffix, its sample has. A counter of an app without the suffix keeps its name, as one of unknown type.
    const isCounter = isOpen && type === 'counter' && name.endsWith('_total')
    const family = isCounter ? name.replace(/_total$/, '') : name
    text += `# HELP ${family} ${escapeHelp(help, isOpen)}\n# TYPE ${family} ${isOpen && type === 'counter' && !isCounter ? 'unknown' : type}\n`
    for (const { suffix, labels, value, exemplar } of samples) {
      const trace = isOpen && exemplar !== undefined && (isCounter || suffix === '_bucket') ? exemplarText(exemplar) : ''
      text += `${family}${isCounter ? '_total' : suffix}${labels === '' ? '' : `{${labels}}`} ${numberText(value)}${trace}\n`
      if (++lines % LINES === 0 && performance.now() - startMs > STEP_MS) await pause()
    }
    if (performance.now() - startMs > STEP_MS) await pause()
  }
  if (steps !== undefined) steps.longestMs = Math.max(steps.longestMs, performance.now() - startMs)
  parts.push(Buffer.from(isOpen ? `${text}# EOF\n` : text))
  return Buffer.concat(parts)
}

/** The format that a scraper asks for: OpenMetrics if its Accept field names that. */
export function formatFor(accept: string | undefined): MetricFormat {
  return accept?.includes('application/openmetrics-text') === true ? 'openmetrics' : 'prometheus'
}

export function labelsText(labels: Readonly<Record<string, string | number>>): string {
  let text = ''
  for (const name in labels) text += `${text === '' ? '' : ','}${name}="${escapeLabel(String(labels[name]))}"`
  return text
}

function escapeLabel(value: string): string {
  return /[\\"\n]/.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"') : value
}

function escapeHelp(help: string, isOpen: boolean): string {
  const escaped = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return isOpen ? escaped.replaceAll('"', '\\"') : escaped
}

function exemplarText({ labels, value, timestampS }: MetricExemplar): string {
  return ` # {${labels}} ${numberText(value)} ${timestampS}`
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  return Number.isNaN(value) ? 'NaN' : String(value)
}
