// Each worker with its last minute, and what an operator may do to it.

import { bytes, count, duration, millis, percent, rate } from './format.js'
import { html } from './html.js'
import { Servers } from './servers.js'
import { perform } from './store.js'
import { Strip } from './strip.js'
import { useEffect, useRef, useState } from './vendor/preact-hooks.js'

export function Workers({ view, strips, canAct }) {
  const [question, ask] = useState(undefined)
  return html`
    <section class="card" id="workers" tabindex="-1" aria-labelledby="workers-title">
      <div class="heading">
        <h2 id="workers-title">Workers and their event loops</h2>
        <p class="legend" aria-label="Colours of the strips">
          <span class="key waiting">waiting</span><span class="key turns">short turns</span><span class="key blocked">blocked ≥ 50 ms</span>
        </p>
      </div>
      ${view.pools.map((pool) => html`<${Pool} key=${pool.name} pool=${pool} strips=${strips} canAct=${canAct} ask=${ask} />`)}
      ${question && html`<${Question} ...${question} close=${() => ask(undefined)} />`}
    </section>
  `
}

function Pool({ pool, strips, canAct, ask }) {
  const { name, ready, desired, reloading, isScheduled, workers, empty, servers } = pool
  const proxy = servers != null
  const facts = isScheduled ? 'by schedule' : `${ready} of ${desired} ready${reloading ? ', reloading' : ''}`
  const scale = (by) => () => perform('scale', { pool: name, by })
  const reload = () =>
    ask({
      text: `Reload ${name}? Its workers are replaced one after the other. The config is read again.`,
      verb: `Reload ${name}`,
      run: () => perform('reload', { pool: name }),
    })
  return html`
    <div class="pool">
      <div class="pool-head">
        <h3>${name}</h3>
        <p>${facts}</p>
        ${
          canAct &&
          !isScheduled &&
          html`<p class="actions">
            <button onClick=${scale(-1)} disabled=${desired <= 1} aria-label="One worker fewer for ${name}">−</button>
            <button onClick=${scale(1)} aria-label="One worker more for ${name}">+</button>
            <button onClick=${reload}>Reload</button>
          </p>`
        }
      </div>
      ${proxy && html`<${Servers} pool=${name} servers=${servers} canAct=${canAct} ask=${ask} />`}
      <table>
        <thead>
          <tr>
            <th scope="col">${proxy ? 'Proxy worker' : 'Worker'}</th>
            <th scope="col">Last 60 s</th>
            <th scope="col" class="number">Loop</th>
            <th scope="col" class="number">Req / s</th>
            <th scope="col" class="number">In flight</th>
            <th scope="col" class="number">Latency</th>
            <th scope="col" class="number">Memory</th>
            <th scope="col" class="number">Restarts</th>
            ${canAct && html`<th scope="col" class="buttons"><span class="hidden">Actions</span></th>`}
          </tr>
        </thead>
        <tbody>
          ${workers.map(
            (worker) =>
              html`<${Worker} key=${worker.pid} pool=${name} proxy=${proxy} worker=${worker} columns=${strips.get(`${name}/${worker.slot} ${worker.pid}`)} canAct=${canAct} ask=${ask} />`,
          )}
          ${empty.map((slot) => html`<${Empty} key=${`empty ${slot.slot}`} pool=${name} proxy=${proxy} ...${slot} canAct=${canAct} />`)}
        </tbody>
      </table>
    </div>
  `
}

function Worker({ pool, proxy, worker, columns = [], canAct, ask }) {
  const { slot, state, inStateMs, utilisation, perSecond, inFlight, latencyMs, memoryBytes, restarts, ejected, drainLeftMs, stuckMs } =
    worker
  const name = nameOf(pool, slot, proxy)
  const target = proxy ? { pool, slot, proxy } : { pool, slot }
  const badge = ejected ? 'ejected' : state === 'ready' ? '' : state
  const drain = () =>
    ask({
      text: `Take ${name} out of service? It finishes its requests and exits. Restart brings it back.`,
      verb: `Drain ${name}`,
      run: () => perform('drain', target),
    })
  return html`
    <tr class=${badge}>
      <th scope="row">
        ${name} ${badge !== '' && html`<span class="badge">${badge}${drainLeftMs !== null ? `, ${duration(drainLeftMs)} left` : ''}</span>`}
        <span class="since">${duration(inStateMs)}</span>
      </th>
      <td class="strip"><${Strip} name=${name} columns=${columns} /></td>
      <td class=${stuckMs > 0 ? 'number bad' : 'number'} data-name="loop">${stuckMs > 0 ? `stuck ${duration(stuckMs)}` : percent(utilisation)}</td>
      <td class="number" data-name="req/s">${rate(perSecond)}</td>
      <td class="number" data-name="in flight">${count(inFlight)}</td>
      <td class="number" data-name="latency">${millis(latencyMs < 0.05 ? null : latencyMs)}</td>
      <td class="number" data-name="memory">${bytes(memoryBytes)}</td>
      <td class="number" data-name="restarts">${count(restarts)}</td>
      ${
        canAct &&
        html`<td class="actions">
          <button onClick=${drain} disabled=${state === 'draining'} aria-label="Drain ${name}">Drain</button>
          <button onClick=${() => perform('restart', target)} aria-label="Restart ${name}">Restart</button>
        </td>`
      }
    </tr>
  `
}

const WHY = {
  held: 'out of service',
  broken: 'broken: it failed too often',
  finished: 'ended for good',
}

function nameOf(pool, slot, proxy) {
  return proxy ? `${pool}/proxy/${slot}` : `${pool}/${slot}`
}

function Empty({ pool, proxy, slot, why, canAct }) {
  const name = nameOf(pool, slot, proxy)
  const target = proxy ? { pool, slot, proxy } : { pool, slot }
  return html`
    <tr class="empty ${why}">
      <th scope="row">${name}</th>
      <td colspan="7"><span class="badge">${WHY[why]}</span></td>
      ${canAct && html`<td class="actions"><button onClick=${() => perform('restart', target)} aria-label="Restart ${name}">Restart</button></td>`}
    </tr>
  `
}

/** Asks before an operation that takes something away. Escape means no. */
function Question({ text, verb, run, close }) {
  const dialog = useRef(null)
  useEffect(() => {
    const returnTo = document.activeElement
    dialog.current.showModal()
    return () => returnTo?.focus?.()
  }, [])
  const yes = () => {
    close()
    run()
  }
  return html`
    <dialog ref=${dialog} onClose=${close} aria-labelledby="question">
      <p id="question">${text}</p>
      <p class="actions">
        <button onClick=${close}>Cancel</button>
        <button class="strong" onClick=${yes}>${verb}</button>
      </p>
    </dialog>
  `
}
