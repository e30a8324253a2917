// hello.js behind a listener whose TLS the workers end.

const { TLS_KEY, TLS_CERT } = process.env

export default {
  app: './hello.js',
  pools: { web: { workers: 2 } },
  listen: { host: '127.0.0.1', port: 0, tls: { cert: TLS_CERT, key: TLS_KEY } },
}
