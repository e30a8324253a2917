// Two apps as a user of PM2 writes them: for PM2 itself, and for the balancer, which reads the same file.

const { join } = require('node:path')

const logs = process.env.LOG_FOLDER ?? '.'

module.exports = {
  apps: [
    {
      name: 'shop',
      script: join(__dirname, 'reloaded.js'),
      instances: process.env.WORKERS ?? 'max',
      exec_mode: 'cluster',
      wait_ready: true,
      listen_timeout: 15_000,
      kill_timeout: 5_000,
      cron_restart: '0 3 * * *',
      out_file: join(logs, 'shop.log'),
      error_file: join(logs, 'shop-error.log'),
      merge_logs: true,
      env: { PORT: process.env.SHOP_PORT, READY: '1' },
    },
    {
      name: 'admin',
      script: join(__dirname, 'reloaded.js'),
      out_file: join(logs, 'admin.log'),
      error_file: join(logs, 'admin-error.log'),
      env: { PORT: process.env.ADMIN_PORT, HOST: '127.0.0.2' },
    },
  ],
}
