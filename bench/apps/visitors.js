// The session that the apps of `sessions` keep for a visitor: about the size of a small shop's, with the number of its writes.

const contents = {
  user: { id: 4711, name: 'Ada Lovelace', roles: ['customer'] },
  cart: Array.from({ length: 5 }, (_, index) => ({ article: `A-${1000 + index}`, count: index + 1, price: 9.95 })),
}

/** The path ends with the number of the visitor. */
export function visitorOf(url) {
  return url.slice(url.lastIndexOf('/') + 1)
}

/** The next value of a session. */
export function withContents({ count = 0 } = {}) {
  return { ...contents, count: count + 1 }
}
