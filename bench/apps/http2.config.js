// hello.js behind a listener whose HTTP/2 the workers end.

export default {
  app: './hello.js',
  pools: { web: { workers: 2 } },
  listen: { host: '127.0.0.1', port: 0, protocol: 'http2', http2: true },
}
