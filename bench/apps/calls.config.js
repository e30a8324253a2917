// calls.js behind a listener that steers streams of HTTP/2. SPREAD: are heavy ones spread?

export default {
  app: './calls.js',
  listen: { host: '127.0.0.1', port: 0, http2: { spread: process.env.SPREAD === 'yes' } },
}
