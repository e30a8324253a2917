// Lists of other parts of the balancer: the last decisions, heads that could not be read, advice. A list that is not collected has no section.

import { clock } from './format.js'
import { html } from './html.js'

const LISTS = [
  { name: 'decisions', title: 'Last decisions', none: 'No decision is recorded yet.' },
  { name: 'badHeads', title: 'Heads that could not be read', none: 'Every head could be read.' },
  { name: 'advice', title: 'Advice', none: 'Nothing to advise.' },
]

export function Lists({ view }) {
  return LISTS.filter(({ name }) => Array.isArray(view[name])).map(
    ({ name, title, none }) => html`
      <section key=${name} class="card" aria-labelledby="${name}-title">
        <div class="heading"><h2 id="${name}-title">${title}</h2></div>
        ${
          view[name].length === 0
            ? html`<p class="none">${none}</p>`
            : html`<ul class="lines">
              ${view[name].map(
                ({ time, subject, text, config }) => html`
                  <li>
                    ${time !== null && html`<time>${clock(time)}</time>`} <strong>${subject}</strong> ${text}
                    ${config !== undefined && html`<pre><code>${config}</code></pre>`}
                  </li>
                `,
              )}
            </ul>`
        }
      </section>
    `,
  )
}
