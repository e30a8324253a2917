// The last minute of one event loop, a quarter of a second in each column: how long it waited, ran short turns, or was blocked.

import { html } from './html.js'
import { useEffect, useRef } from './vendor/preact-hooks.js'

const COLUMNS = 240
const HEIGHT = 26

export function Strip({ name, columns }) {
  const canvas = useRef(null)
  useEffect(() => draw(canvas.current, columns), [columns])
  return html`<canvas ref=${canvas} role="img" aria-label="${name}: ${describe(columns)}" title=${describe(columns)}></canvas>`
}

function describe(columns) {
  if (columns.length === 0) return 'no reading yet'
  const busy = columns.reduce((sum, [percent]) => sum + percent, 0) / columns.length
  const longest = Math.max(0, ...columns.map(([, blockedMs]) => blockedMs))
  const blocked = longest === 0 ? 'never blocked' : `blocked for ${longest} ms at the longest`
  return `busy ${Math.round(busy)} % of the last ${Math.round(columns.length / 4)} s, ${blocked}`
}

function draw(canvas, columns) {
  const ratio = window.devicePixelRatio || 1
  const width = Math.round(canvas.clientWidth * ratio)
  const height = Math.round(HEIGHT * ratio)
  if (width === 0) return
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
  const style = getComputedStyle(canvas)
  const colour = (name) => style.getPropertyValue(name)
  const context = canvas.getContext('2d')
  const step = width / COLUMNS
  // The time before this page was opened stays empty: what the loop did then is unknown.
  context.clearRect(0, 0, width, height)
  context.fillStyle = colour('--strip-waiting')
  const known = Math.ceil(columns.length * step)
  context.fillRect(width - known, 0, known, height)
  columns.forEach(([percent, blockedMs], index) => {
    const x = Math.floor(width - (columns.length - index) * step)
    const next = Math.floor(width - (columns.length - index - 1) * step)
    const tall = blockedMs > 0 ? height : Math.max(percent > 0 ? ratio : 0, Math.round((percent / 100) * height))
    context.fillStyle = blockedMs > 0 ? colour('--strip-blocked') : colour('--strip-turns')
    context.fillRect(x, height - tall, next - x, tall)
  })
}
