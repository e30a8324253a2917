// Sends requests, counts answers, and joins the chat.

import { createYard } from '/yard.js'

const STREAM_MS = 120
// A browser opens six connections to one host at most: some are left for light requests.
const MAX_REPORTS = 4

const find = (id) => document.getElementById(id)
const counts = { light: 0, reports: 0, open: 0, faults: 0 }
const times = []

const [{ nextHopProtocol }] = performance.getEntriesByType('navigation')
find('protocol').hidden = nextHopProtocol !== 'h2'

const { workers } = await (await fetch('/workers')).json()
const yard = createYard(find('yard'), workers)

function show() {
  find('light-count').textContent = counts.light
  find('report-count').textContent = counts.reports
  find('reports-open').textContent = counts.open
  find('fault-count').textContent = counts.faults
  find('report').disabled = counts.open >= MAX_REPORTS
  const sorted = [...times].sort((a, b) => a - b)
  if (sorted.length > 0) find('light-time').textContent = `${sorted[sorted.length >> 1].toFixed(1)} ms`
}

async function ask(path) {
  try {
    const response = await fetch(path)
    if (!response.ok) throw new Error(`${path}: ${response.status}`)
    const answer = await response.json()
    yard.answered(answer)
    return true
  } catch (error) {
    counts.faults++
    console.error(error)
    return false
  }
}

async function askLight() {
  const startedAt = performance.now()
  if (await ask('/light')) {
    counts.light++
    times.push(performance.now() - startedAt)
    if (times.length > 50) times.shift()
  }
  show()
}

async function askReport() {
  if (counts.open >= MAX_REPORTS) return
  counts.open++
  show()
  if (await ask(`/reports/${Date.now().toString(36)}`)) counts.reports++
  counts.open--
  show()
}

find('light').addEventListener('click', () => {
  for (let count = 0; count < 10; count++) void askLight()
})
find('report').addEventListener('click', () => void askReport())

let stream
find('stream').addEventListener('change', ({ target }) => {
  clearInterval(stream)
  if (target.checked) stream = setInterval(() => void askLight(), STREAM_MS)
})

const query = new URLSearchParams(location.search)
const name = query.get('name') ?? `visitor ${Math.floor(Math.random() * 900) + 100}`
const socket = window.io({ auth: { room: query.get('room'), name } })
const [chatPool] = Object.keys(workers)
let home

function showState() {
  find('state').textContent = socket.connected ? `worker ${home?.slot ?? '…'}, ${socket.io.engine.transport.name}` : 'not connected'
}

socket.on('connect', () => socket.io.engine.on('upgrade', showState))
socket.on('welcome', (workerSlot) => {
  home = workerSlot
  yard.live({ pool: chatPool, ...workerSlot })
  showState()
})
socket.on('disconnect', showState)
socket.on('connect_error', (error) => {
  counts.faults++
  console.error(error)
  show()
})
socket.on('said', ({ from, text, worker }) => {
  yard.answered({ pool: chatPool, ...worker })
  const entry = document.createElement('li')
  for (const [tag, content] of [
    ['b', from],
    ['small', `worker ${worker.slot}`],
    ['span', text],
  ]) {
    const part = document.createElement(tag)
    part.textContent = content
    entry.append(part)
  }
  const log = find('log')
  log.append(entry)
  while (log.children.length > 200) log.firstChild.remove()
  log.scrollTop = log.scrollHeight
})
find('say').addEventListener('submit', (event) => {
  event.preventDefault()
  const field = find('text')
  if (field.value !== '') socket.emit('say', field.value)
  field.value = ''
})
