// Two workers, with what the environment asks for: ACCESS_LOG is a format, SAMPLE a share of its requests, HEALTH a path for health checks, ROTATE 'off'.

const { ACCESS_LOG, SAMPLE = '1', HEALTH, LOG_FOLDER, ROTATE } = process.env

export default {
  app: './hello.js',
  pools: { web: { workers: 2 } },
  ...(ACCESS_LOG && {
    accessLog: { format: ACCESS_LOG, sample: Number(SAMPLE) },
    logs: { folder: LOG_FOLDER, ...(ROTATE === 'off' && { rotate: false }) },
  }),
  ...(HEALTH && { health: { path: HEALTH } }),
}
