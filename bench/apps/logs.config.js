// Two workers that print into log files, with rotation and compression.

export default {
  app: './printing.js',
  policy: 'round-robin',
  pools: { web: { workers: 2 } },
  logs: { folder: process.env.LOG_FOLDER },
}
