// Two pools of one worker each.

export default {
  app: './pooled.js',
  // A slow machine would find the requests heavy, and the moves that are measured would become rests.
  pools: {
    a: { workers: 1, rest: 'never', env: { POOL: 'a' } },
    b: { workers: 1, rest: 'never', env: { POOL: 'b' } },
  },
  routes: [
    { path: '/a', pool: 'a' },
    { path: '/b', pool: 'b' },
  ],
}
