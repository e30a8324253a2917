// What the page knows: the last view, the strips, the history and the marks, from the stream of events. Components subscribe to changes.

import { act, forgetKey, hasKey, hasToken, openSession } from './session.js'

const STRIP_COLUMNS = 240
const MEAN_COLUMNS = 12
const MAX_SAMPLES = 720
const MAX_MARKS = 200
const RETRY_MS = 3000

export const state = {
  /** 'connecting', 'live', 'lost' or 'refused'. */
  connection: 'connecting',
  /** Why the balancer refuses this page. */
  refusal: undefined,
  canAct: false,
  identity: undefined,
  columnMs: 250,
  view: undefined,
  /** Columns by `pool/slot pid`. */
  strips: new Map(),
  history: undefined,
  marks: [],
  /** The last notices: outcomes of actions. */
  notices: [],
}

const subscribers = new Set()

/** Calls back after each change. Returns a function that ends it. */
export function subscribe(onChange) {
  subscribers.add(onChange)
  return () => subscribers.delete(onChange)
}

function changed() {
  for (const onChange of subscribers) onChange()
}

export async function connect() {
  const fault = await openSession().catch(() => 'the balancer does not answer')
  if (fault !== undefined) notify({ isGood: false, message: fault })
  listen()
  // A link that is opened while the page is there changes the address only.
  addEventListener('hashchange', () => {
    if (hasToken()) location.reload()
  })
}

/** Runs an operation and shows its outcome. */
export async function perform(name, body) {
  notify(await act(name, body))
}

export function notify({ isGood, message }) {
  const notice = { isGood, message, id: Math.random() }
  state.notices = [...state.notices, notice].slice(-3)
  changed()
  setTimeout(() => dismiss(notice.id), isGood ? 8000 : 20000)
}

export function dismiss(id) {
  state.notices = state.notices.filter((notice) => notice.id !== id)
  changed()
}

function listen() {
  const source = new EventSource('/dashboard/live')
  const on = (name, take) =>
    source.addEventListener(name, ({ data }) => {
      take(JSON.parse(data))
      changed()
    })
  on('hello', takeHello)
  on('view', takeView)
  on('sample', takeSample)
  on('mark', (mark) => {
    state.marks = [...state.marks, mark].slice(-MAX_MARKS)
  })
  on('outcome', (outcome) => notify(outcome))
  source.addEventListener('error', () => {
    state.connection = 'lost'
    changed()
    if (source.readyState === EventSource.CLOSED) void explain()
  })
}

function takeHello({ name, pid, version, hasSession, columnMs, history, marks, strips, view }) {
  if (!hasSession && hasKey()) forgetKey()
  Object.assign(state, { connection: 'live', refusal: undefined, canAct: hasSession && hasKey(), identity: { name, pid, version } })
  Object.assign(state, { columnMs, history, marks, view })
  state.strips = new Map(Object.entries(strips))
}

function takeView({ strips, ...view }) {
  state.connection = 'live'
  state.view = view
  const next = new Map()
  for (const [worker, columns] of Object.entries(strips))
    next.set(worker, [...(state.strips.get(worker) ?? []), ...columns].slice(-STRIP_COLUMNS))
  state.strips = next
  for (const pool of view.pools)
    for (const worker of pool.workers)
      worker.utilisation = meanBusy(next.get(`${pool.name}/${worker.slot} ${worker.pid}`)) ?? worker.utilisation
}

/** Of the last three seconds: a worker reports a tenth of a second, which jumps. */
function meanBusy(columns = []) {
  const last = columns.slice(-MEAN_COLUMNS)
  return last.length === 0 ? undefined : last.reduce((sum, [percent]) => sum + percent, 0) / last.length / 100
}

function takeSample(sample) {
  const { history } = state
  state.history = Object.fromEntries(
    Object.entries(sample).map(([field, values]) => [field, [...(history[field] ?? []), ...values].slice(-MAX_SAMPLES)]),
  )
}

/** An EventSource does not say why it ended, so the page asks once more. */
async function explain() {
  try {
    const abort = new AbortController()
    const response = await fetch('/dashboard/live', { signal: abort.signal })
    if (response.ok) abort.abort()
    else {
      state.refusal = (await response.json()).error
      state.connection = 'refused'
    }
  } catch {
    // It does not answer.
  }
  changed()
  if (state.connection !== 'refused' || state.refusal === 'too many pages are open') setTimeout(listen, RETRY_MS)
}
