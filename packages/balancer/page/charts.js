// The last hour, with a mark where an operator or a fault changed something.

import { clock, millis, percent, rate } from './format.js'
import { html } from './html.js'
import { useEffect, useRef, useState } from './vendor/preact-hooks.js'
import uPlot from './vendor/uplot.js'

const HOUR_S = 3600
/** A young balancer's chart is not squeezed into a corner. */
const LEAST_S = 300
const HEIGHT = 150
const MAX_LISTED = 50

const CHARTS = [
  {
    title: 'Requests per second',
    lines: [
      ['requests', 'requests', '--line-1'],
      ['failed', 'failed', '--line-bad'],
    ],
    format: rate,
  },
  {
    title: 'Response time',
    lines: [
      ['p50Ms', 'half within', '--line-1'],
      ['p99Ms', '99 % within', '--line-2'],
    ],
    format: millis,
  },
  {
    title: 'Event loops',
    lines: [
      ['loop', 'mean', '--line-1'],
      ['busiestLoop', 'busiest', '--line-2'],
    ],
    format: percent,
    most: 1,
  },
  {
    title: 'Connections in the queue',
    lines: [
      ['queue', 'queued', '--line-1'],
      ['takenBack', 'taken back / s', '--line-2'],
      ['refused', 'refused / s', '--line-bad'],
    ],
    format: rate,
  },
]

const KINDS = {
  operation: ['--mark-operation', 'operation'],
  fault: ['--mark-fault', 'fault'],
  recall: ['--mark-recall', 'recall'],
  ejection: ['--mark-fault', 'ejection'],
}

export function Charts({ history, marks }) {
  const theme = useTheme()
  const { times } = history
  if (times.length < 2)
    return html`<section class="card"><div class="heading"><h2>The last hour</h2></div><p class="none">The first samples come in a few seconds.</p><${Marks} marks=${marks} /></section>`
  const range = rangeOf(times)
  const inRange = marks.filter(({ time }) => time / 1000 >= range[0])
  return html`
    <section class="card" aria-labelledby="charts-title">
      <div class="heading">
        <h2 id="charts-title">The last hour</h2>
        <p class="legend">
          <span class="key mark-operation">operation</span><span class="key mark-fault">fault</span><span class="key mark-recall">recall</span>
        </p>
      </div>
      <div class="charts">
        ${CHARTS.map((chart) => html`<${Chart} key=${`${chart.title} ${theme}`} ...${chart} history=${history} marks=${inRange} range=${range} />`)}
      </div>
      <${Marks} marks=${inRange} />
    </section>
  `
}

function rangeOf(times) {
  const end = times.at(-1) / 1000
  return [Math.max(end - HOUR_S, Math.min(times[0] / 1000, end - LEAST_S)), end]
}

function Chart({ title, lines, format, most, history, marks, range }) {
  const box = useRef(null)
  const plot = useRef(undefined)
  const shown = useRef({ marks, range })
  shown.current = { marks, range }
  useEffect(() => {
    const style = getComputedStyle(box.current)
    const colour = (name) => style.getPropertyValue(name).trim()
    const axis = { stroke: colour('--muted'), grid: { stroke: colour('--grid'), width: 1 }, ticks: { show: false }, font: '12px system-ui' }
    const made = new uPlot(
      {
        width: box.current.clientWidth,
        height: HEIGHT,
        cursor: { y: false, points: { size: 6 } },
        legend: { show: false },
        scales: {
          x: { range: () => shown.current.range },
          y: { range: (_, __, max) => [0, most ?? niceMost(max)] },
        },
        axes: [
          { ...axis, size: 26, space: 70, values: (_, ticks) => ticks.map((second) => clock(second * 1000).slice(0, 5)) },
          { ...axis, size: 56, space: 36, values: (_, ticks) => ticks.map((value) => format(value)) },
        ],
        series: [
          {},
          ...lines.map(([, , name], index) => ({
            stroke: colour(name),
            width: 1.6,
            points: { show: false },
            ...(index === 0 && { fill: colour('--line-fill') }),
          })),
        ],
        hooks: { draw: [(chart) => drawMarks(chart, shown.current.marks, colour)] },
      },
      dataOf(history, lines),
      box.current,
    )
    plot.current = made
    const observer = new ResizeObserver(([entry]) => made.setSize({ width: Math.floor(entry.contentRect.width), height: HEIGHT }))
    observer.observe(box.current)
    return () => {
      observer.disconnect()
      made.destroy()
    }
  }, [])
  useEffect(() => plot.current?.setData(dataOf(history, lines)), [history, marks.length])
  const last = (field) => history[field].at(-1)
  return html`
    <figure>
      <figcaption>
        <span class="chart-title">${title}</span>
        ${lines.map(([field, name, colour]) => html`<span class="key" style=${{ '--key': `var(${colour})` }}>${name} <b>${last(field) === null ? '–' : format(last(field))}</b></span>`)}
      </figcaption>
      <div ref=${box} role="img" aria-label=${describe(title, lines, history, format)}></div>
    </figure>
  `
}

function dataOf(history, lines) {
  return [history.times.map((time) => time / 1000), ...lines.map(([field]) => history[field])]
}

function describe(title, lines, history, format) {
  const texts = lines.map(([field, name]) => {
    const values = history[field].filter((value) => value !== null)
    return values.length === 0 ? `${name}: none` : `${name}: now ${format(values.at(-1))}, at most ${format(Math.max(...values))}`
  })
  return `${title} over the last hour. ${texts.join('; ')}`
}

function niceMost(max) {
  return max === null || max <= 0 ? 1 : max * 1.15
}

function drawMarks({ ctx, bbox, valToPos }, marks, colour) {
  ctx.save()
  for (const { time, kind } of marks) {
    const x = Math.round(valToPos(time / 1000, 'x', true))
    if (x < bbox.left || x > bbox.left + bbox.width) continue
    ctx.fillStyle = ctx.strokeStyle = colour(KINDS[kind][0])
    ctx.lineWidth = Math.max(1, devicePixelRatio)
    ctx.setLineDash(kind === 'operation' ? [] : [4, 3])
    ctx.beginPath()
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
    const size = 4 * devicePixelRatio
    ctx.beginPath()
    ctx.moveTo(x - size, bbox.top)
    ctx.lineTo(x + size, bbox.top)
    ctx.lineTo(x, bbox.top + size * 1.5)
    ctx.fill()
  }
  ctx.restore()
}

function Marks({ marks }) {
  if (marks.length === 0) return html`<p class="none">No reload, crash, recall or ejection in this time.</p>`
  return html`
    <ol class="marks" tabindex="0" aria-label="Events of the last hour, the newest first">
      ${marks
        .slice(-MAX_LISTED)
        .reverse()
        .map(
          ({ time, kind, text }) => html`
            <li key=${`${time} ${text}`}><time>${clock(time)}</time><span class="key mark-${kind}">${KINDS[kind][1]}</span><span>${text}</span></li>
          `,
        )}
    </ol>
  `
}

/** Changes when the reader's system turns dark or light: charts are drawn anew with other colours. */
function useTheme() {
  const query = matchMedia('(prefers-color-scheme: dark)')
  const [isDark, setDark] = useState(query.matches)
  useEffect(() => {
    const onChange = () => setDark(query.matches)
    query.addEventListener('change', onChange)
    return () => query.removeEventListener('change', onChange)
  }, [])
  return isDark ? 'dark' : 'light'
}
