// Twenty files for PM2 that use every option, and what becomes of each: the first half, and both together.

import { moreOwnFiles } from './more-own-files.ts'
import { app, job, type Own, ROTATE } from './own-file.ts'

export const ownFiles: readonly Own[] = [
  {
    title: 'fewer workers than cores, and text in place of numbers',
    apps: [
      { name: 'less', script: 'app.js', instances: -1, exec_mode: 'cluster_mode', kill_timeout: '4000' },
      { name: 'text', script: 'api.js', instances: '2', execMode: 'fork' },
      { name: 'none', script: 'worker.js', instances: '-9' },
      { name: 'zero', script: 'worker.js', instances: 0, exec_mode: 'fork_mode' },
    ],
    config: {
      pools: {
        less: app({ workers: 3, stopTimeoutMs: 4000 }),
        text: { app: './api.js', workers: 2 },
        none: { app: './worker.js', listens: false, workers: 1 },
        zero: { app: './worker.js', listens: false, workers: 'max' },
      },
    },
    differs: ['less.instances', 'text.execMode', 'none.instances', 'none.listens', 'zero.listens'],
    notNeeded: ['less.exec_mode', 'zero.exec_mode'],
  },
  {
    title: 'ports: by option, by variable, the same twice',
    apps: [
      { name: 'shop', script: 'app.js', port: 3000, env: { PORT: 1 } },
      { name: 'admin', script: 'app.js', env: { PORT: '4000' } },
      { name: 'other', script: 'api.js', port: 3000 },
      { name: 'free', script: 'api.js' },
    ],
    config: {
      pools: {
        shop: app({ env: { PORT: '3000' } }),
        admin: app({ env: { PORT: '4000' } }),
        other: { app: './api.js', env: { PORT: '3000' }, workers: 1 },
        free: { app: './api.js', workers: 1 },
      },
      routes: [
        { listener: 3000, pool: 'shop' },
        { listener: 4000, pool: 'admin' },
      ],
    },
    differs: ['other.port'],
  },
  {
    title: 'scheduled jobs, and a restart that is turned off',
    apps: [
      { name: 'nightly', script: 'job.js', cron: '0 3 * * *', autorestart: false, args: ['--all', 7], instances: 1, wait_ready: true },
      { name: 'many', script: 'job.js', instances: 'max', cron_restart: '*/5 * * * *', autorestart: false },
      { name: 'off', script: 'app.js', cron_restart: 0, autorestart: true },
      { name: 'weekly', script: 'app.js', cron_restart: '0 4 * * 0' },
    ],
    config: {
      pools: {
        off: app(),
        weekly: app({ restartAt: '0 4 * * 0' }),
        nightly: job({ args: ['--all', '7'], schedule: '0 3 * * *' }),
        many: job({ schedule: '*/5 * * * *' }),
      },
    },
    differs: ['nightly.cron', 'many.instances', 'many.cron_restart'],
    notNeeded: ['nightly.wait_ready'],
  },
  {
    title: 'one log file for each app in one folder',
    apps: [
      { name: 'web', script: 'app.js', out_file: 'logs/web.log', err_file: 'logs/web-error.log', time: true },
      { name: 'api', script: 'api.js', instances: 3, outFile: './logs/api.log', errorFile: './logs/api-error.log', combine_logs: true },
    ],
    config: {
      logs: { folder: './logs', file: '{pool}.log', errorFile: '{pool}-error.log', timestamps: true, rotate: ROTATE },
      pools: { web: app(), api: { app: './api.js', workers: 3 } },
    },
    differs: ['web.time'],
  },
  {
    title: 'log files in two folders, one for each worker',
    apps: [
      { name: 'web', script: 'app.js', out_file: '/var/log/web/out.log', error_file: '/var/log/web/out.log', disable_logs: true },
      { name: 'api', script: 'api.js', instances: 2, log: '/var/log/api/all.log', merge_logs: false, disable_logs: false },
    ],
    config: {
      logs: { folder: '/var/log/web', file: '{pool}-{slot}.log', rotate: ROTATE },
      pools: { web: app(), api: { app: './api.js', workers: 2 } },
    },
    missing: ['web.disable_logs'],
    differs: ['web.out_file', 'api.log'],
  },
  {
    title: 'log options without a file',
    apps: [
      { script: 'app.js', log_type: 'json', log_date_format: 'HH:mm', time: false, merge_logs: true, disable_logs: true, log_file: true },
    ],
    config: { pools: { app: app() } },
    differs: ['app.log_type', 'app.log_date_format', 'app.time', 'app.log_file'],
    notNeeded: ['app.merge_logs'],
  },
  {
    title: 'restarts',
    apps: [
      { name: 'one', script: 'app.js', min_uptime: '5s', max_restarts: 10, restart_delay: 0, stop_exit_codes: [0, '143'] },
      {
        name: 'two',
        script: 'api.js',
        min_uptime: '1m',
        maxRestarts: 50,
        restart_delay: 60000,
        exp_backoff_restart_delay: 200,
        stopExitCodes: 3,
      },
    ],
    config: {
      maxRestarts: 50,
      restartDelayMs: 60000,
      maxRestartDelayMs: 60000,
      pools: {
        one: app({ stopExitCodes: [0, 143], reload: { settleMs: 5000 } }),
        two: { app: './api.js', workers: 1, stopExitCodes: [3], reload: { settleMs: 10000 } },
      },
    },
    differs: [
      'one.min_uptime',
      'one.max_restarts',
      'two.min_uptime',
      'two.maxRestarts',
      'two.restart_delay',
      'two.exp_backoff_restart_delay',
    ],
    notNeeded: ['one.restart_delay'],
  },
  {
    title: 'memory, in numbers and text',
    apps: [
      { name: 'bytes', script: 'app.js', max_memory_restart: 104857600 },
      { name: 'text', script: 'app.js', maxMemoryRestart: '1G' },
      { name: 'small', script: 'app.js', max_memory_restart: '2048K' },
      { name: 'digits', script: 'app.js', max_memory_restart: '200000000' },
    ],
    config: {
      pools: {
        bytes: app({ maxMemory: { soft: 104857600 } }),
        text: app({ maxMemory: { soft: '1G' } }),
        small: app({ maxMemory: { soft: '2048K' } }),
        digits: app({ maxMemory: { soft: 200000000 } }),
      },
    },
  },
  {
    title: 'readiness and stopping, turned off and on',
    apps: [
      { name: 'on', script: 'app.js', waitReady: true, listen_timeout: 3000, shutdown_with_message: true, treekill: false },
      { name: 'off', script: 'app.js', wait_ready: false, shutdown_with_message: false, kill_retry_time: 50, treekill: true },
    ],
    config: { pools: { on: app({ readyWhen: 'message', shutdownMessage: true }), off: app() } },
    differs: ['off.treekill'],
    notNeeded: ['on.treekill', 'on.listen_timeout', 'off.kill_retry_time'],
  },
  {
    title: 'interpreters',
    apps: [
      { name: 'node', script: 'app.js', interpreter: 'node', node_args: ['--inspect'] },
      { name: 'tsx', script: 'web.ts', exec_interpreter: './node_modules/.bin/tsx', interpreterArgs: '--no-warnings' },
      { name: 'old', script: 'app.js', interpreter: 'node@18.0.0' },
      { name: 'elsewhere', script: 'app.js', interpreter: '/opt/node/bin/node' },
      { name: 'python', script: 'tool.py' },
      { name: 'named', script: 'tool', interpreter: '/usr/bin/python3', args: 'run' },
      { name: 'binary', script: 'tool', interpreter: 'none' },
    ],
    files: { 'tool.py': '', tool: '' },
    config: {
      pools: {
        node: app({ execArgv: ['--inspect'] }),
        tsx: { app: './web.ts', execArgv: ['--import', 'tsx', '--no-warnings'], workers: 1 },
        old: app(),
        elsewhere: app(),
      },
    },
    missing: ['old.interpreter', 'elsewhere.interpreter', 'python.script', 'named.script', 'binary.script'],
    notNeeded: ['node.interpreter'],
  },
  ...moreOwnFiles,
]
