// Fifty routes, every other one to the other pool.

const routes = Array.from({ length: 50 }, (_, index) => {
  const pool = index % 2 === 0 ? 'a' : 'b'
  return { path: `/${pool}-${index + 1}/*`, pool }
})

export default {
  app: './pooled.js',
  // A slow machine would find the requests heavy, and the moves that are measured would become rests.
  pools: {
    a: { workers: 1, rest: 'never', env: { POOL: 'a' } },
    b: { workers: 1, rest: 'never', env: { POOL: 'b' } },
  },
  routes,
}
