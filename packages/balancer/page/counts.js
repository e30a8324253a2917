// What became of connections since the start, by reason.

import { count } from './format.js'
import { html } from './html.js'

const REASONS = {
  pool: 'another pool has the route',
  sticky: 'the policy wants another worker',
  rest: 'idle, rests in the primary',
  'head-too-large': 'head too large (431)',
  'head-timeout': 'head too slow (408)',
  'not-http': 'not HTTP (400)',
  'ambiguous-head': 'ambiguous head (400)',
  'too-many-unrouted': 'too many not yet routed (503)',
  'too-many-unrouted-per-address': 'too many from one address (429)',
  'client-refused': 'cut too often before (429)',
  'no-worker': 'no worker (503)',
  'queue-full': 'queue full (503)',
  'queue-timeout': 'waited too long (503)',
}

export function Counts({ view }) {
  const { counts } = view
  return html`
    <section class="card" aria-labelledby="counts-title">
      <div class="heading"><h2 id="counts-title">Connections since the start</h2></div>
      <div class="counts">
        <${Group} name="Handed to a worker" total=${counts.handedOff} reasons=${{ 'taken back, not started': counts.takenBack }} />
        <${Group} name="Given back by a worker" reasons=${counts.givenBack} />
        <${Group} name="Forwarded requests" reasons=${counts.forwarded} />
        <${Group} name="Refused" reasons=${counts.refused} isBad />
        <${Group} name="Held by the primary now" reasons=${{ 'incomplete head': counts.waiting.head, resting: counts.waiting.resting, queued: counts.waiting.queue, 'on the way to a worker': counts.waiting.offered }} />
      </div>
    </section>
  `
}

function Group({ name, total, reasons, isBad = false }) {
  const rows = Object.entries(reasons).filter(([, number]) => number > 0)
  const sum = total ?? rows.reduce((all, [, number]) => all + number, 0)
  return html`
    <div class=${isBad && sum > 0 ? 'group bad' : 'group'}>
      <h3>${name} <span>${count(sum)}</span></h3>
      ${
        rows.length > 0 &&
        html`<ul>
          ${rows.map(([reason, number]) => html`<li key=${reason}>${REASONS[reason] ?? reason} <span>${count(number)}</span></li>`)}
        </ul>`
      }
    </div>
  `
}
