// Fifty routes, alternating between two pools.

const routes = Array.from({ length: 50 }, (_, index) => {
  const pool = index % 2 === 0 ? 'a' : 'b'
  return { path: `/${pool}-${index + 1}/*`, pool }
})

export default {
  app: './pooled.js',
  // On a slow machine the requests would count as heavy, and the measured moves would become rests.
  pools: {
    a: { workers: 1, rest: 'never', env: { POOL: 'a' } },
    b: { workers: 1, rest: 'never', env: { POOL: 'b' } },
  },
  routes,
}
