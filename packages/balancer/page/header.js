// The name of the balancer, the right to act, and the sentence that says whether all is well.

import { count, millis, plural, rate } from './format.js'
import { html } from './html.js'
import { closeSession } from './session.js'
import { dismiss, state } from './store.js'
import { useEffect } from './vendor/preact-hooks.js'

export function Header() {
  const { identity, canAct, view } = state
  return html`
    <header class="top">
      <p class="name"><span class="logo" aria-hidden="true"></span> ${identity.name}</p>
      <p class="meta">${view.addresses.join(' · ')} <span class="optional">· pid ${identity.pid} · version ${identity.version}</span></p>
      ${
        canAct
          ? html`<p class="rights">You may act <button class="quiet" onClick=${signOut}>Sign out</button></p>`
          : html`<p class="rights">Read only. To act, open the link of <code>balancer dashboard</code></p>`
      }
    </header>
  `
}

async function signOut() {
  await closeSession().catch(() => {})
  location.reload()
}

const WORDS = { good: 'Healthy', watch: 'Healthy', failing: 'Failing', down: 'Down' }

export function HealthBanner({ view, isLost }) {
  const { health, totals } = view
  const severity = isLost ? 'failing' : health.severity
  const sentence = isLost ? 'The balancer does not answer. The numbers below are old.' : health.sentence
  useEffect(() => {
    document.title = `${isLost ? 'Lost' : WORDS[severity]} · ${state.identity.name}`
    document.querySelector('link[rel=icon]').href = `/dashboard/icon-${severity}.svg`
  }, [severity, isLost])
  return html`
    <section class="health ${severity}" aria-labelledby="health">
      <div class="verdict" role="status">
        <h1 id="health">${isLost ? 'Connection lost' : WORDS[severity]}</h1>
        <p class="sentence">${sentence}</p>
        ${
          !isLost &&
          health.others.length > 0 &&
          html`<ul class="others">
            ${health.others.map((text) => html`<li>${text}</li>`)}
          </ul>`
        }
      </div>
      <dl class="numbers">
        <${Figure} name="requests / s" value=${rate(totals.perSecond)} id="requests" />
        <${Figure} name="failed / s" value=${rate(totals.failedPerSecond)} isBad=${totals.failedPerSecond > 0} />
        <${Figure} name="99 % within" value=${millis(totals.p99Ms)} />
        <${Figure} name="waiting" value=${count(totals.queue)} title=${plural(totals.queue, 'connection')} />
      </dl>
    </section>
  `
}

function Figure({ name, value, isBad, id }) {
  return html`<div class=${isBad ? 'bad' : ''}><dt>${name}</dt><dd id=${id}>${value}</dd></div>`
}

export function Notices({ notices }) {
  return html`
    <div class="notices" role="log" aria-label="Outcomes of actions">
      ${notices.map(
        ({ id, isGood, message }) => html`
          <p key=${id} class=${isGood ? 'notice' : 'notice bad'}>
            ${message} <button class="quiet" aria-label="Dismiss" onClick=${() => dismiss(id)}>×</button>
          </p>
        `,
      )}
    </div>
  `
}
