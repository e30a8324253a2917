// Where requests go now: routes, pools, workers. The width of a band is its rate, its colour how busy the worker's loop is.

import { percent, plural, rate } from './format.js'
import { html } from './html.js'
import { useEffect, useRef, useState } from './vendor/preact-hooks.js'

const ROW = 30
const GAP = 18
const BAR = 8
const MOST_WIDTH = 22
/** Below this rate a band is thinner than the widest. */
const CALM_RATE = 5
const MAX_WORKERS = 12

export function Yard({ view }) {
  const box = useRef(null)
  const [width, setWidth] = useState(0)
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)))
    observer.observe(box.current)
    return () => observer.disconnect()
  }, [])
  const pools = view.pools.filter(({ listens, isScheduled }) => listens && !isScheduled)
  return html`
    <section class="card" aria-labelledby="yard-title">
      <div class="heading">
        <h2 id="yard-title">Where requests go</h2>
        <p class="legend">width: requests per second<span class="scale" aria-hidden="true"></span>loop idle → busy</p>
      </div>
      <div ref=${box} class="yard">${width > 0 && html`<${Picture} view=${view} pools=${pools} width=${width} />`}</div>
    </section>
  `
}

function Picture({ view, pools, width }) {
  const { routes, groups, height } = layout(view, pools)
  const isWide = width >= 640
  const longest = Math.max(
    ...groups.flatMap(({ workers }) => workers.map(({ name, state }) => name.length + (state === 'ready' ? 0 : 6))),
    4,
  )
  const right = width - Math.min(Math.round(longest * 8 + (isWide ? 108 : 52)), Math.round(width * 0.42))
  const [left, middle] = [0, Math.round(right * 0.52)]
  const label = `Requests per second by worker: ${groups
    .flatMap(({ workers }) => workers.map((worker) => `${worker.name} ${rate(worker.perSecond)}, loop ${percent(worker.utilisation)}`))
    .join('; ')}`
  return html`
    <svg viewBox="0 0 ${width} ${height}" width=${width} height=${height} role="img" aria-label=${label}>
      ${routes.map(
        ({ pool, from, to, thick }) =>
          html`<path class="band route" d=${band(left + BAR, from, middle, to, thick)} key=${`${pool} ${from}`} />`,
      )}
      ${groups.map(({ workers }) =>
        workers.map(
          ({ name, pid, from, to, thick, utilisation }) =>
            html`<path key=${`${name} ${pid}`} class="band" style=${{ fill: heat(utilisation) }} d=${band(middle + BAR, from, right, to, thick)} />`,
        ),
      )}
      ${routes.map(
        ({ name, from, thick, perSecond }) => html`
          <rect class="stop" x=${left} y=${from - Math.max(thick, 6) / 2} width=${BAR} height=${Math.max(thick, 6)} rx="2" />
          <text class="label" x=${left + BAR + 8} y=${isWide && thick >= 18 ? from : from - thick / 2 - 10}>${short(isWide ? name : name.replace(/^\((.*)\)$/, '$1'), isWide ? 40 : 15)}
            ${isWide && html`<tspan class="figure" dx="6">${rate(perSecond)}/s</tspan>`}</text>
        `,
      )}
      ${groups.map(
        ({ name, top, size, centre, perSecond }) => html`
          <rect class="stop pool" x=${middle} y=${centre - size / 2} width=${BAR} height=${size} rx="2" />
          <text class="label pool" x=${middle + BAR / 2} y=${isWide ? top - 4 : top + size + 15} text-anchor="middle">${name} <tspan class="figure">${rate(perSecond)}/s</tspan></text>
        `,
      )}
      ${groups.map(({ workers }) =>
        workers.map(
          ({ name, to, utilisation, state, perSecond }) => html`
            <rect class="stop" style=${{ fill: heat(utilisation) }} x=${right} y=${to - 10} width=${BAR} height="20" rx="2" />
            <text class=${state === 'ready' ? 'label' : 'label dim'} x=${right + BAR + 8} y=${to}>${name}
              <tspan class="figure" dx="4">${state === 'ready' ? percent(utilisation) : state}</tspan>
              ${isWide && html`<tspan class="figure" dx="4">${rate(perSecond)}/s</tspan>`}</text>
          `,
        ),
      )}
    </svg>
  `
}

/** Heights and middles of everything. Workers stand in rows below each other, a pool in the middle of its workers. */
function layout(view, pools) {
  const shown = pools.map((pool) => ({ ...pool, workers: rowsOf(pool) }))
  const fastest = Math.max(CALM_RATE, ...shown.flatMap(({ workers }) => workers.map(({ perSecond }) => perSecond)))
  const widthOf = (perSecond) => (perSecond > 0 ? Math.max(1.5, (perSecond / fastest) * MOST_WIDTH) : 1)
  let top = GAP
  const groups = []
  const routes = []
  for (const pool of shown) {
    const own = view.routes.filter((route) => route.pool === pool.name)
    const rows = Math.max(pool.workers.length, own.length, 1)
    const centre = top + (rows * ROW) / 2
    const thicks = pool.workers.map(({ perSecond }) => widthOf(perSecond))
    const sum = thicks.reduce((all, thick) => all + thick, 0)
    const size = Math.max(12, sum)
    let at = centre - sum / 2
    const firstRow = centre - (pool.workers.length * ROW) / 2
    const workers = pool.workers.map((worker, index) => {
      const from = at + thicks[index] / 2
      at += thicks[index]
      return { ...worker, from, to: firstRow + index * ROW + ROW / 2, thick: thicks[index] }
    })
    groups.push({ name: pool.name, perSecond: pool.perSecond, top: centre - size / 2, size, centre, workers })
    const total = own.reduce((all, { perSecond }) => all + perSecond, 0)
    const routeThicks = own.map(({ perSecond }) => (total > 0 ? Math.max(1.5, (perSecond / total) * sum) : 1))
    const routeSum = routeThicks.reduce((all, thick) => all + thick, 0)
    let entry = centre - routeSum / 2
    const step = Math.max(ROW, routeSum / Math.max(1, own.length) + 4)
    const firstRoute = centre - (own.length * step) / 2
    own.forEach((route, index) => {
      const thick = routeThicks[index]
      routes.push({
        ...{ name: route.name, pool: pool.name, perSecond: route.perSecond, thick },
        from: firstRoute + index * step + step / 2,
        to: entry + thick / 2,
      })
      entry += thick
    })
    top += Math.max(rows * ROW, own.length * step, size) + GAP
  }
  return { routes, groups, height: Math.max(top, 60) }
}

function rowsOf({ name, workers, servers }) {
  const named = workers.map((worker) => ({ ...worker, name: `${name}/${servers == null ? '' : 'proxy/'}${worker.slot}` }))
  if (named.length <= MAX_WORKERS) return named
  const rest = named.slice(MAX_WORKERS - 1)
  const sum = (field) => rest.reduce((all, worker) => all + worker[field], 0)
  const others = {
    name: plural(rest.length, 'other'),
    pid: 0,
    state: 'ready',
    perSecond: sum('perSecond'),
    utilisation: sum('utilisation') / rest.length,
  }
  return [...named.slice(0, MAX_WORKERS - 1), others]
}

function band(x1, y1, x2, y2, thick) {
  const half = thick / 2
  const bend = (x2 - x1) * 0.5
  return (
    `M${x1},${y1 - half}C${x1 + bend},${y1 - half} ${x2 - bend},${y2 - half} ${x2},${y2 - half}` +
    `V${y2 + half}C${x2 - bend},${y2 + half} ${x1 + bend},${y1 + half} ${x1},${y1 + half}Z`
  )
}

function heat(utilisation) {
  const hot = Math.round(Math.max(0, Math.min(1, (utilisation - 0.3) / 0.6)) * 100)
  return hot <= 50
    ? `color-mix(in oklab, var(--warm) ${hot * 2}%, var(--calm))`
    : `color-mix(in oklab, var(--hot) ${(hot - 50) * 2}%, var(--warm))`
}

function short(text, most) {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`
}
