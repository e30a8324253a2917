module.exports = {
  apps: [
    {
      name: 'shop',
      script: './shop.js',
      instances: 'max',
      exec_mode: 'cluster',
      wait_ready: true,
      kill_timeout: 3000,
      max_memory_restart: '300M',
      cron_restart: '0 4 * * 0',
      out_file: './logs/shop.log',
      error_file: './logs/shop-error.log',
      merge_logs: true,
      time: true,
      env: { PORT: process.env.SHOP_PORT || 3000, NODE_ENV: 'development' },
      env_production: { NODE_ENV: 'production' },
    },
    {
      name: 'admin',
      script: './admin.js',
      env: { PORT: process.env.ADMIN_PORT || 4000, NODE_ENV: 'development' },
      env_production: { NODE_ENV: 'production' },
      pid_file: './admin.pid',
    },
    { name: 'mailer', script: './mailer.js', instances: 2 },
    { name: 'report', script: './report.js', cron_restart: '0 3 * * *', autorestart: false },
  ],
}
