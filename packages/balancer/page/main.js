// Puts the page together, in the order in which a reader asks: is all well, where do requests go, what do the loops do, what has happened?

import { Charts } from './charts.js'
import { Counts } from './counts.js'
import { Header, HealthBanner, Notices } from './header.js'
import { html } from './html.js'
import { Lists } from './lists.js'
import { connect, state, subscribe } from './store.js'
import { Times } from './times.js'
import { render } from './vendor/preact.js'
import { useEffect, useState } from './vendor/preact-hooks.js'
import { Workers } from './workers.js'
import { Yard } from './yard.js'

function App() {
  const [, redraw] = useState(0)
  useEffect(() => {
    let isDrawn = true
    const unsubscribe = subscribe(() => {
      // Several events of one moment are drawn together.
      if (!isDrawn) return
      isDrawn = false
      requestAnimationFrame(() => {
        isDrawn = true
        redraw((number) => number + 1)
      })
    })
    void connect()
    return unsubscribe
  }, [])
  const { connection, view } = state
  if (connection === 'refused') return html`<main class="refused"><h1>Not open to you yet</h1><p>${state.refusal}</p></main>`
  if (view === undefined)
    return html`<p class="loading">${connection === 'lost' ? 'The balancer does not answer. Trying again…' : 'Loading…'}</p>`
  return html`
    <${Header} />
    <main class=${connection === 'live' ? '' : 'stale'}>
      <${HealthBanner} view=${view} isLost=${connection !== 'live'} />
      <${Yard} view=${view} />
      <${Workers} view=${view} strips=${state.strips} canAct=${state.canAct} />
      <div class="pair">
        <${Times} view=${view} />
        <${Counts} view=${view} />
      </div>
      <${Charts} history=${state.history} marks=${state.marks} />
      <${Lists} view=${view} />
    </main>
    <${Notices} notices=${state.notices} />
  `
}

document.getElementById('app').textContent = ''
render(html`<${App} />`, document.getElementById('app'))
