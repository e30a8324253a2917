// Many workers of the stub app. They share few processors while they start, so each takes long.

export default {
  app: './hello.js',
  startTimeoutMs: 600_000,
}
