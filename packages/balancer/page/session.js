// The right to act: a link of `balancer dashboard` has a token, which this page exchanges for a cookie and a key. It takes both to act.
// The key is in the storage of this origin, because a cookie alone would also be sent to other ports of the same host.

const KEY = 'switchyard-key'
const TOKEN = /[#&]token=([\w-]+)/

/** Exchanges the token in the address, if there is one. Resolves with a message if that failed. */
export async function openSession() {
  const token = TOKEN.exec(location.hash)?.[1]
  if (token === undefined) return undefined
  history.replaceState(null, '', '/')
  const response = await send('POST', '/dashboard/session', { token })
  const answer = await response.json()
  if (!response.ok) return answer.error
  localStorage.setItem(KEY, answer.key)
  return undefined
}

export function hasToken() {
  return TOKEN.test(location.hash)
}

export function hasKey() {
  return localStorage.getItem(KEY) !== null
}

export function forgetKey() {
  localStorage.removeItem(KEY)
}

export async function closeSession() {
  forgetKey()
  await send('DELETE', '/dashboard/session', {})
}

/** Resolves with the outcome: `{ isOver, isGood, message }`. */
export async function act(name, body) {
  try {
    const response = await send('POST', `/dashboard/act/${name}`, body)
    const answer = await response.json()
    return 'error' in answer ? { isOver: true, isGood: false, message: answer.error } : answer
  } catch {
    return { isOver: true, isGood: false, message: 'the balancer does not answer' }
  }
}

function send(method, path, body) {
  const headers = { 'Content-Type': 'application/json' }
  const key = localStorage.getItem(KEY)
  if (key !== null) headers['x-switchyard-key'] = key
  return fetch(path, { method, headers, body: JSON.stringify(body) })
}
