// The shape of a request's path: what differs from request to request is a parameter, so that a bounded table holds the paths of an app, and no
// name or number that a client sent is repeated. A shape is a pattern as routes have it.

const MAX_SEGMENTS = 5
/** A segment that names a part of the app: letters, then at most two digits, such as `v2`. */
const NAME = /^(?!\.+$)[A-Za-z_.-]{1,32}\d{0,2}$/

/** `/users/:id/orders` for `/users/17/orders?page=2`. */
export function pathShape(url: string): string {
  const path = url.split(/[?#]/, 1)[0] as string
  if (!path.startsWith('/')) return '/*'
  const segments = path.split('/').filter((segment) => segment !== '')
  let parameters = 0
  const shaped = segments
    .slice(0, MAX_SEGMENTS)
    .map((segment) => (NAME.test(segment) ? segment : `:id${++parameters === 1 ? '' : parameters}`))
  return `/${shaped.join('/')}${segments.length > MAX_SEGMENTS ? '/*' : ''}`
}

/** The pattern for all paths below the same parent; undefined: the parent is the root. */
export function siblingsOf(shape: string): string | undefined {
  const end = shape.lastIndexOf('/')
  return end <= 0 ? undefined : `${shape.slice(0, end)}/*`
}
