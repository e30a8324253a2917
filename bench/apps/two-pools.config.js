// Two pools of one worker each.

export default {
  app: './pooled.js',
  // On a slow machine the requests would count as heavy, and the measured moves would become rests.
  pools: {
    a: { workers: 1, rest: 'never', env: { POOL: 'a' } },
    b: { workers: 1, rest: 'never', env: { POOL: 'b' } },
  },
  routes: [
    { path: '/a', pool: 'a' },
    { path: '/b', pool: 'b' },
  ],
}
