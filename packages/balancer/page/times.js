// By route: how long requests wait for a worker and its event loop, beside how long the app takes. Waits are those of the whole pool.

import { millis } from './format.js'
import { html } from './html.js'

export function Times({ view }) {
  const all = rowsOf(view)
  // A config may have many routes. Those without requests need no bar.
  const rows = all.filter(({ p50Ms }) => p50Ms !== null)
  const calm = all.filter(({ p50Ms }) => p50Ms === null).map(({ name }) => name)
  const longest = Math.max(1, ...rows.map(({ queueP99Ms, waitMs, p99Ms }) => (queueP99Ms ?? 0) + waitMs + (p99Ms ?? 0)))
  const share = (ms) => ({ width: `${Math.min(100, ((ms ?? 0) / longest) * 100)}%` })
  return html`
    <section class="card" aria-labelledby="times-title">
      <div class="heading">
        <h2 id="times-title">Waiting and service time</h2>
        <p class="legend">
          <span class="key queue">in the queue, 99 % within</span><span class="key wait">waits for a loop</span><span class="key median">half within</span><span class="key tail">99 % within</span>
        </p>
      </div>
      <dl class="times">
        ${rows.map(
          ({ name, note, waitMs, queueP99Ms, p50Ms, p99Ms }) => html`
            <div key=${name}>
              <dt>${name} <span class="since">${note}</span></dt>
              <dd>
                <div class="bar" aria-hidden="true">
                  <span class="queue" style=${share(queueP99Ms)}></span><span class="wait" style=${share(waitMs)}></span><span class="median" style=${share(p50Ms)}></span>
                  <span class="tail" style=${share((p99Ms ?? 0) - (p50Ms ?? 0))}></span>
                </div>
                <p>
                  ${queueP99Ms !== null && `queue 99 % ${millis(queueP99Ms)} · `}waits ${millis(waitMs)} · half ${millis(p50Ms)} · 99 % ${millis(p99Ms)}
                </p>
              </dd>
            </div>
          `,
        )}
      </dl>
      ${calm.length > 0 && html`<p class="calm">No requests in the last 10 s: ${calm.join(', ')}</p>`}
    </section>
  `
}

function rowsOf({ pools, routes }) {
  return routes.map(({ name, pool, p50Ms, p99Ms }) => {
    const { waitMs = 0, queueP99Ms = null } = pools.find((one) => one.name === pool) ?? {}
    return { name, note: `→ ${pool}`, waitMs, queueP99Ms, p50Ms, p99Ms }
  })
}
