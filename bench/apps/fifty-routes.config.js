// Fifty routes, every other one to the other pool.

const routes = Array.from({ length: 50 }, (_, index) => {
  const pool = index % 2 === 0 ? 'a' : 'b'
  return { path: `/${pool}-${index + 1}/*`, pool }
})

export default {
  app: './pooled.js',
  pools: {
    a: { workers: 1, env: { POOL: 'a' } },
    b: { workers: 1, env: { POOL: 'b' } },
  },
  routes,
}
