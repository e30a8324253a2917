// Requests that block have a worker of their own.

export default {
  app: './pooled.js',
  pools: {
    web: { workers: 3, env: { POOL: 'web' } },
    heavy: { workers: 1, env: { POOL: 'heavy' } },
  },
  routes: [{ path: '/heavy', pool: 'heavy' }],
}
