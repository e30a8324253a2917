// Two workers that get connections in turn.

export default {
  app: './pooled.js',
  pools: { web: { workers: 2 } },
  policy: 'round-robin',
}
