// Four workers; each connection goes at once to the one with the fewest requests in flight.

export default {
  app: './pooled.js',
  pools: { web: { workers: 4 } },
  policy: 'least-in-flight',
}
