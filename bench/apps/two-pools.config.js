// Two pools of one worker each.

export default {
  app: './pooled.js',
  pools: {
    a: { workers: 1, env: { POOL: 'a' } },
    b: { workers: 1, env: { POOL: 'b' } },
  },
  routes: [
    { path: '/a', pool: 'a' },
    { path: '/b', pool: 'b' },
  ],
}
