// The upstream servers of a pool, and what an operator may do to them.

import { count, millis, rate } from './format.js'
import { html } from './html.js'
import { perform } from './store.js'

export function Servers({ pool, servers, canAct, ask }) {
  return html`
    <table>
      <thead>
        <tr>
          <th scope="col">Upstream server</th>
          <th scope="col">Address</th>
          <th scope="col" class="number">Req / s</th>
          <th scope="col" class="number">Failed / s</th>
          <th scope="col" class="number">In flight</th>
          <th scope="col" class="number">Connections</th>
          <th scope="col" class="number">Latency</th>
          ${canAct && html`<th scope="col" class="buttons"><span class="hidden">Actions</span></th>`}
        </tr>
      </thead>
      <tbody>
        ${servers.map((server) => html`<${Server} key=${`${server.slot} ${server.generation}`} pool=${pool} server=${server} canAct=${canAct} ask=${ask} />`)}
      </tbody>
    </table>
  `
}

const BADGES = { ejected: 'ejected', down: 'ejected', draining: 'draining', held: 'held', ready: '' }

function Server({ pool, server, canAct, ask }) {
  const { slot, name: url, state, perSecond, failedPerSecond, inFlight, connections, latencyMs, lastFailure } = server
  const name = `${pool}/${slot}`
  const badge = state === 'ready' ? '' : state === 'held' ? 'out of service' : state
  const isOut = state === 'held' || state === 'draining'
  const drain = () =>
    ask({
      text: `Take ${name} (${url}) out of service? It finishes its requests. Restart brings it back.`,
      verb: `Drain ${name}`,
      run: () => perform('drain', { pool, slot }),
    })
  return html`
    <tr class=${BADGES[state]}>
      <th scope="row">${name} ${badge !== '' && html`<span class="badge">${badge}</span>`}</th>
      <td>${url ?? 'removed'}</td>
      <td class="number" data-name="req/s">${rate(perSecond)}</td>
      <td class=${failedPerSecond > 0 ? 'number bad' : 'number'} data-name="failed/s" title=${lastFailure ?? ''}>${rate(failedPerSecond)}</td>
      <td class="number" data-name="in flight">${count(inFlight)}</td>
      <td class="number" data-name="connections">${count(connections)}</td>
      <td class="number" data-name="latency">${millis(latencyMs < 0.05 ? null : latencyMs)}</td>
      ${
        canAct &&
        html`<td class="actions">
          <button onClick=${drain} disabled=${isOut || url === null} aria-label="Drain ${name}">Drain</button>
          <button onClick=${() => perform('restart', { pool, slot })} disabled=${url === null} aria-label="Put ${name} in service">Restart</button>
        </td>`
      }
    </tr>
  `
}
